// Says in one sentence what the simulator is waiting for. Everything that a
// person could wonder about ("why does nothing open?") is answered here.

/**
 * @param {object} state phase ('idle', 'ringing', 'established'), waiting,
 *   failure, answered, slot {action, triggered, wasEstablished}, pane, paused
 *   (undefined, or the reason).
 * @returns {{text: string, mood: string}} mood is calm, busy, good or bad.
 */
export function narrate(state) {
  if (state.waiting) {
    return { text: waiting(state.phase), mood: 'busy' };
  }
  const action = aboutAction(state);
  // What is still to come says by itself what the agent has to do for it.
  return action.mood === 'busy' ? action : { text: `${action.text} ${aboutCall(state.phase)}`, mood: action.mood };
}

function waiting(phase) {
  switch (phase) {
    case 'ringing': return 'Ringing — waiting for the gateway’s answer…';
    case 'established': return 'The agent has picked up — still waiting for the gateway’s answer…';
    default: return 'Hung up — still waiting for the gateway’s answer…';
  }
}

function aboutCall(phase) {
  switch (phase) {
    case 'ringing': return 'The telephone is ringing: answer, or hang up.';
    case 'established': return 'Talking: hang up to end the call.';
    default: return 'Press Ring for a call.';
  }
}

function aboutAction(state) {
  const { action, triggered } = state.slot;
  if (state.failure) {
    return { text: `${state.failure} XucMgt shows the agent nothing.`, mood: 'bad' };
  }
  if (!triggered && action?.event !== undefined) {
    return aboutPending(action, state);
  }
  if (state.pane) {
    return aboutPane(state);
  }
  if (!state.answered) {
    return { text: 'Ready: choose who calls.', mood: 'calm' };
  }
  if (triggered) {
    return aboutFired(action, state);
  }
  return aboutNothing(action);
}

function aboutNothing(action) {
  if (action === null || typeof action !== 'object') {
    return { text: 'No action is left in the slot.', mood: 'calm' };
  }
  return action.action === 'none'
    ? { text: 'The answer is “none”: nothing opens.', mood: 'calm' }
    : { text: 'The answer names no event, so XucMgt never fires it.', mood: 'bad' };
}

function aboutPane({ paused }) {
  if (paused === undefined) {
    return { text: 'Pane open beside the phone.', mood: 'good' };
  }
  return { text: `Pane open: the agent is on pause${reason(paused)} until the pane posts closeThirdParty.`, mood: 'good' };
}

function aboutFired(action, { paused }) {
  const what = {
    open: 'The pane did not open: its address is no web address.',
    popup: 'The popup was opened.',
    run: 'The desktop application would run a program; a browser can’t.',
    none: 'The answer is “none”: nothing opens.',
  }[action.action] ?? 'The answer’s action is unknown: nothing opens.';
  if (paused !== undefined) {
    return { text: `${what} The agent is on pause${reason(paused)}, and no pane will end it.`, mood: 'bad' };
  }
  return { text: what, mood: 'good' };
}

function aboutPending(action, state) {
  if (action.event === 'EventEstablished') {
    return state.phase === 'ringing'
      ? { text: 'The answer wants EventEstablished: answer the call to fire it.', mood: 'busy' }
      : { text: 'The answer wanted EventEstablished, which has passed: the action is lost for this call.', mood: 'bad' };
  }
  if (action.event === 'EventReleased') {
    return aboutReleased(state);
  }
  return { text: `The answer wants ${action.event}, which XucMgt never fires.`, mood: 'bad' };
}

function aboutReleased({ phase, slot }) {
  if (phase === 'ringing') {
    return { text: 'The answer wants EventReleased: answer the call, then hang up to fire it.', mood: 'busy' };
  }
  if (phase === 'established' && slot.wasEstablished) {
    return { text: 'The answer wants EventReleased: hang up to fire it.', mood: 'busy' };
  }
  return { text: 'The answer wanted EventReleased, and the call was not established in time: nothing opens.', mood: 'calm' };
}

function reason(paused) {
  return paused === '' ? '' : ` (${paused})`;
}
