// The part of the CC Agent application that talks to the web service, with the
// names and the races of the original (XucThirdParty.service.js). It knows one
// action at a time: there is one slot for all calls, and the previous call's
// action stays in it until the next call's answer arrives.
//
// The order of things in here is the point of the simulator. Please don't mend it.

export class ThirdParty {
  #currentAction = null;
  #wasEstablished = false;
  #effects;

  /**
   * @param {object} effects what the application does:
   *   post(call) resolves to the answer's body, or rejects;
   *   perform(action), pause(reason), unpause(), close(), changed().
   */
  constructor(effects) {
    this.#effects = effects;
  }

  /** What an observer may know of the slot. */
  get slot() {
    return {
      action: this.#currentAction,
      triggered: this.#currentAction?.triggered === true,
      wasEstablished: this.#wasEstablished,
    };
  }

  /** CTI EventRinging: one POST, and EventRinging fires whenever its answer arrives. */
  async ringing(call) {
    this.#wasEstablished = false;
    this.#effects.changed();
    try {
      this.#currentAction = await this.#effects.post(call);
    } catch {
      // The application logs to the console and shows the agent nothing.
      this.#currentAction = null;
    }
    this.#checkAndFireEvent('EventRinging');
    this.#effects.changed();
  }

  /** CTI EventEstablished. Without an action in the slot, the call doesn't count as established. */
  established() {
    if (this.#currentAction !== null) {
      this.#wasEstablished = true;
      this.#checkAndFireEvent('EventEstablished');
    }
    this.#effects.changed();
  }

  /** CTI EventReleased: only a call that was established fires it. */
  released() {
    if (this.#wasEstablished) {
      this.#checkAndFireEvent('EventReleased');
    }
    this.#effects.changed();
  }

  /** The pane was closed, by its page or by the agent. */
  clearAction() {
    if (this.#currentAction?.autopause) {
      this.#effects.unpause();
    }
    this.#currentAction = null;
    this.#effects.close();
    this.#effects.changed();
  }

  #checkAndFireEvent(event) {
    const action = this.#currentAction;
    if (action?.event !== event || action.triggered) {
      return;
    }
    action.triggered = true;
    // Whatever the action is: a "none" with an autopause pauses the agent too.
    if (action.autopause) {
      this.#effects.pause(action.autopauseReason);
    }
    this.#effects.perform(action);
  }
}
