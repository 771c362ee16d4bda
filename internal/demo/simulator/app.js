// Wires the page: the phone's buttons are the telephone system's events, and
// everything that shows state is drawn by one function, draw().

import { agents, keyValues, payload, queues, releases } from './payload.js';
import { DemoCRM, moodNotes } from './democrm.js';
import { narrate } from './narrator.js';
import { headers, post } from './transport.js';
import * as screen from './screen.js';
import { ThirdParty } from './thirdparty.js';

const $ = (id) => document.getElementById(id);

const crm = new DemoCRM(document.body.dataset.crm);

/** The scenarios by id. */
const callers = new Map();

const call = { phase: 'idle', since: 0 };
const gateway = { waiting: 0, failure: undefined, answered: false };
const agent = { paused: undefined };

const thirdParty = new ThirdParty({
  post: send,
  perform(action) {
    log(`${action.event} fires the action “${action.action}”.`);
    log(screen.perform(action));
  },
  pause(reason) {
    agent.paused = reason ?? '';
    log(`The agent is put on pause${reason ? `: ${reason}` : ''}.`);
  },
  unpause() {
    agent.paused = undefined;
    log('The agent is ready again.');
  },
  close() {
    screen.closePane();
    log('The pane is closed and the action slot is empty.');
  },
  changed: draw,
});

// --- the call ---

function ring() {
  move('ringing', 'EventRinging: the telephone rings.');
  screen.hideNotices();
  thirdParty.ringing(payload(form()));
}

function answer() {
  move('established', 'EventEstablished: the agent answers.');
  thirdParty.established();
}

function hangUp() {
  move('idle', 'EventReleased: the call is over.');
  thirdParty.released();
}

function move(phase, line) {
  call.phase = phase;
  call.since = Date.now();
  log(line);
}

/** Posts a call and resolves to the answer's body, as the application's $http does. */
async function send(message) {
  const url = $('third-party-url').value;
  const text = JSON.stringify(message);
  gateway.waiting += 1;
  showRequest(url, text);
  log('POST sent to the gateway.');
  draw();
  const story = await post(url, text);
  gateway.waiting -= 1;
  gateway.answered = true;
  gateway.failure = story.failure;
  showResponse(story);
  if (story.failure) {
    log(story.failure);
    throw new Error(story.failure);
  }
  log(`The gateway answered after ${story.milliseconds} ms: ${story.text}`);
  if (story.body?.action === 'none' && story.body.event === undefined) {
    screen.showNone();
  }
  return story.body;
}

function form() {
  return {
    agent: {
      userId: Number($('user-id').value),
      agentId: Number($('agent-id').value),
      firstName: $('first-name').value,
      lastName: $('last-name').value,
    },
    callee: $('callee').value,
    caller: $('caller-absent').checked ? undefined : $('caller').value,
    queue: $('queue').value,
    did: $('did').value,
    extra: keyValues($('user-data').value),
    release: $('release').value,
  };
}

// --- what the page shows ---

const callNames = { idle: 'No call', ringing: 'Ringing', established: 'Talking' };

function draw() {
  chip('call-state', call.phase, callNames[call.phase]);
  drawAgent();
  drawSlot();
  drawButtons();
  const status = narrate({
    phase: call.phase,
    waiting: gateway.waiting > 0,
    failure: gateway.failure,
    answered: gateway.answered,
    slot: thirdParty.slot,
    pane: screen.paneIsOpen(),
    paused: agent.paused,
  });
  $('status').dataset.mood = status.mood;
  // A live region is read out when it is written, so it is written when it changes.
  if ($('status').textContent !== status.text) {
    $('status').textContent = status.text;
  }
  drawTimer();
}

function drawAgent() {
  $('agent-name').textContent = `${$('first-name').value} ${$('last-name').value}`.trim();
  $('unpause').hidden = agent.paused === undefined;
  if (agent.paused !== undefined) {
    chip('agent-state', 'paused', agent.paused === '' ? 'On pause' : `On pause (${agent.paused})`);
  } else if (call.phase === 'established') {
    chip('agent-state', 'on-call', 'On call');
  } else {
    chip('agent-state', 'ready', 'Ready');
  }
}

function drawSlot() {
  const { action, triggered, wasEstablished } = thirdParty.slot;
  $('slot-action').textContent = action?.action ?? (action === null ? 'empty' : 'no action');
  $('slot-triggered').textContent = triggered ? 'yes' : 'no';
  $('slot-established').textContent = wasEstablished ? 'yes' : 'no';
}

function drawButtons() {
  const focused = document.activeElement;
  $('ring').disabled = call.phase !== 'idle';
  $('answer').disabled = call.phase !== 'ringing';
  $('hangup').disabled = call.phase === 'idle';
  // A button that becomes disabled would drop the keyboard's focus on the floor.
  if (focused?.disabled && focused.closest('.buttons')) {
    document.querySelector('.buttons button:enabled').focus();
  }
}

function drawTimer() {
  const seconds = call.phase === 'idle' ? 0 : Math.floor((Date.now() - call.since) / 1000);
  const two = (number) => String(number).padStart(2, '0');
  $('timer').textContent = `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
  $('timer').hidden = call.phase === 'idle';
}

function chip(id, state, text) {
  $(id).dataset.state = state;
  $(id).textContent = text;
}

function showRequest(url, text) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  $('request').textContent = `POST ${url}\n${lines.join('\n')}\n\n${indented(text)}`;
  $('response').textContent = 'Waiting…';
  $('milliseconds').textContent = '';
  $('http-status').hidden = true;
}

function showResponse(story) {
  const lines = story.headers.map(([name, value]) => `${name}: ${value}`);
  const body = story.text === '' ? '(no body)' : indented(story.text);
  $('response').textContent = story.status === undefined ? story.failure : `${lines.join('\n')}\n\n${body}`;
  $('http-status').hidden = false;
  chip('http-status', story.failure ? 'failed' : 'ready', story.status === undefined ? 'no answer' : `${story.status} ${story.statusText}`);
  $('milliseconds').textContent = `${story.milliseconds} ms`;
}

/** JSON is indented for reading; anything else is shown as it came. */
function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function log(text) {
  const time = document.createElement('time');
  time.textContent = new Date().toISOString().slice(11, 23);
  const line = document.createElement('li');
  line.append(time, ` ${text}`);
  $('log').append(line);
  $('log').scrollTop = $('log').scrollHeight;
}

// --- the fields ---

function option(value, text) {
  return new Option(text, value);
}

function fillChoices() {
  $('queue').append(...queues.map((queue) => option(queue.name, `${queue.displayName} ${queue.number}`)));
  $('release').append(...releases.map((release) => option(release, release)));
  $('agent').append(...agents.map((each, index) => option(index, `${each.firstName} ${each.lastName}, line ${each.line}`)));
  chooseAgent();
}

function chooseAgent() {
  const chosen = agents[Number($('agent').value)];
  $('first-name').value = chosen.firstName;
  $('last-name').value = chosen.lastName;
  $('user-id').value = chosen.userId;
  $('agent-id').value = chosen.agentId;
  $('callee').value = chosen.line;
  draw();
}

function chooseScenario() {
  const scenario = callers.get($('scenario').value);
  $('note').textContent = scenario?.note ?? 'Type who calls.';
  if (scenario === undefined) {
    return;
  }
  $('caller').value = scenario.caller ?? '';
  $('caller-absent').checked = scenario.caller === null;
  $('queue').value = scenario.queue;
  $('user-data').value = Object.entries(scenario.userData ?? {}).map(([key, value]) => `${key}=${value}`).join('\n');
  drawCallerField();
}

function drawCallerField() {
  $('caller').disabled = $('caller-absent').checked;
}

/** A scenario that was changed by hand is that scenario no more. */
function leaveScenario() {
  $('scenario').value = '';
  $('note').textContent = 'Your own call.';
  drawCallerField();
}

async function fillScenarios() {
  for (const each of await crm.callers()) {
    callers.set(each.id, each);
    $('scenario').append(option(each.id, each.label));
  }
  $('scenario').value = 'known';
  chooseScenario();
  fillPages();
}

/** A button for each of the gateway's pages that a call shows. */
function fillPages() {
  const shown = [...callers.values()].filter((each) => each.page);
  $('pages').prepend(...shown.map((scenario) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'plain';
    button.dataset.page = scenario.page;
    button.textContent = scenario.page;
    button.addEventListener('click', () => showPage(scenario));
    return button;
  }));
}

async function showPage(scenario) {
  if (call.phase !== 'idle') {
    hangUp();
  }
  $('scenario').value = scenario.id;
  chooseScenario();
  $('mood').value = scenario.mood ?? 'normal';
  await changeMood();
  ring();
}

/** A link of an earlier call, opened again. */
function showLink(url) {
  log(screen.perform({ action: 'open', url, title: 'An old link' }));
  draw();
}

/** XiVO's other screen pop: popupUrl with folderNumber behind it, in a window of that name. */
function showSheet() {
  const endpoint = $('third-party-url').value.replace(/\/$/, '');
  log(screen.perform({ action: 'popup', url: `${endpoint}/call?number=${encodeURIComponent($('caller').value)}`, window: 'popupUrl' }));
  draw();
}

function showMood(mood) {
  $('mood').value = mood;
  $('mood-note').textContent = moodNotes[mood] ?? '';
}

async function changeMood() {
  try {
    showMood(await crm.setMood($('mood').value));
    log(`The demo CRM’s mood is now “${$('mood').value}”.`);
  } catch (error) {
    log(`The demo CRM’s mood did not change: ${error.message}.`);
  }
}

// --- the person ---

const shortcuts = { r: 'ring', a: 'answer', h: 'hangup' };

function pressed(event) {
  const typing = event.target.closest('input, select, textarea');
  if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  $(shortcuts[event.key.toLowerCase()])?.click();
}

function listen() {
  $('ring').addEventListener('click', ring);
  $('answer').addEventListener('click', answer);
  $('hangup').addEventListener('click', hangUp);
  $('scenario').addEventListener('change', chooseScenario);
  ['caller', 'caller-absent', 'queue', 'user-data'].forEach((id) => $(id).addEventListener('input', leaveScenario));
  ['first-name', 'last-name'].forEach((id) => $(id).addEventListener('input', draw));
  $('agent').addEventListener('change', chooseAgent);
  $('mood').addEventListener('change', changeMood);
  document.querySelectorAll('[data-link]').forEach((button) => {
    button.addEventListener('click', () => showLink(button.dataset.link));
  });
  document.querySelector('[data-landing]').addEventListener('click', showSheet);
  $('clear-log').addEventListener('click', () => $('log').replaceChildren());
  $('pane-close').addEventListener('click', () => thirdParty.clearAction());
  $('unpause').addEventListener('click', () => {
    agent.paused = undefined;
    log('The agent ended the pause by hand.');
    draw();
  });
  document.addEventListener('keydown', pressed);
  window.addEventListener('message', (event) => {
    if (event.data === 'closeThirdParty') {
      log(`closeThirdParty received from ${event.origin}.`);
      thirdParty.clearAction();
    }
  });
  setInterval(drawTimer, 500);
}

async function start() {
  fillChoices();
  listen();
  draw();
  try {
    await fillScenarios();
    showMood(await crm.mood());
  } catch (error) {
    $('note').textContent = `The scenarios could not be loaded (${error.message}). Type who calls.`;
  }
  document.body.dataset.ready = 'true';
}

start();
