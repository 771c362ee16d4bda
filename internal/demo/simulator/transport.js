// The POST, with the headers that AngularJS's $http sends: they make the
// browser ask for permission first, with a real preflight.

export const headers = {
  Accept: 'application/json, text/plain, */*',
  'Content-Type': 'application/json;charset=utf-8',
};

/**
 * Posts a call. It never rejects: what went wrong is part of the story.
 *
 * @returns {Promise<object>} {failure, status, statusText, headers, text, body, milliseconds};
 *   failure is a sentence, or undefined when there is an answer.
 */
export async function post(url, text) {
  const started = performance.now();
  const story = { headers: [], text: '' };
  try {
    const response = await fetch(url, { method: 'POST', headers, body: text, credentials: 'omit' });
    story.status = response.status;
    story.statusText = response.statusText;
    story.headers = [...response.headers];
    story.text = await response.text();
    read(story, response);
  } catch (error) {
    story.failure = `No answer that the browser lets the page read (${error.message}). `
      + 'The gateway is not there, or it does not list this page among its origins.';
  }
  story.milliseconds = Math.round(performance.now() - started);
  return story;
}

function read(story, response) {
  if (!response.ok) {
    story.failure = `The gateway answered with status ${response.status}.`;
    return;
  }
  const isJSON = (response.headers.get('Content-Type') ?? '').startsWith('application/json');
  try {
    story.body = JSON.parse(story.text);
  } catch {
    // AngularJS hands other text to the application as it is.
    story.body = story.text;
    if (isJSON && story.text !== '') {
      story.failure = 'The answer says that it is JSON, and it is not.';
    }
  }
}
