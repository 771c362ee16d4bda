// The demo CRM's scenarios and moods.

/** What each mood does, for people. */
export const moodNotes = {
  normal: 'Answers at once.',
  slow: 'Answers after 2 seconds, which is later than any agent should wait.',
  hang: 'Takes the question and never answers.',
  down: 'Answers 503: down for maintenance.',
  'wrong-key': 'Answers 401 with an empty body, as if the key had been changed.',
  html: 'Answers 200 with a sign-in page where JSON should be.',
  empty: 'Finds nobody, as if nobody had been entered yet.',
};

export class DemoCRM {
  #origin;

  constructor(origin) {
    this.#origin = origin;
  }

  callers() {
    return this.#json('/demo/callers');
  }

  async mood() {
    return (await this.#json('/demo/mood')).mood;
  }

  async setMood(mood) {
    const body = JSON.stringify({ mood });
    return (await this.#json('/demo/mood', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })).mood;
  }

  async #json(path, init) {
    const response = await fetch(this.#origin + path, init);
    if (!response.ok) {
      throw new Error(`the demo CRM answered ${response.status}`);
    }
    return response.json();
  }
}
