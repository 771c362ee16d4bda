// What appears on the agent's screen: the pane, a popup, or a notice.

const $ = (id) => document.getElementById(id);

const notices = ['popup-notice', 'popup-box', 'run-box', 'none-box'];

/** Does what an action says, and returns a line for the event log. */
export function perform(action) {
  hideNotices();
  switch (action.action) {
    case 'open': return openPane(action);
    case 'popup': return openPopup(action);
    case 'run': return showRun(action);
    case 'none': return showNone();
    default: return `The action ${JSON.stringify(action.action)} is unknown: nothing happens.`;
  }
}

export function hideNotices() {
  notices.forEach((id) => { $(id).hidden = true; });
}

/** For an answer without an event, which fires nothing but has something to say. */
export function showNone() {
  $('none-box').hidden = false;
  return 'Nothing to do.';
}

export function closePane() {
  $('pane-frame')?.remove();
  $('pane').hidden = true;
  $('pane-empty').hidden = false;
}

export function paneIsOpen() {
  return !$('pane').hidden;
}

function openPane(action) {
  const url = webAddress(action.url);
  if (url === null) {
    return refused(action.url);
  }
  closePane();
  const frame = document.createElement('iframe');
  frame.id = 'pane-frame';
  frame.title = action.title || 'Third party pane';
  frame.src = url;
  $('pane').append(frame);
  $('pane-title').textContent = action.title || 'Untitled';
  $('pane').hidden = false;
  $('pane-empty').hidden = true;
  return `Pane opened: ${url}`;
}

function openPopup(action) {
  const url = webAddress(action.url);
  if (url === null) {
    return refused(action.url);
  }
  const target = action.multitab ? '_blank' : action.window ?? 'thirdparty';
  if (window.open(url, target) === null) {
    $('popup-link').href = url;
    $('popup-notice').hidden = false;
    return `The browser blocked the popup: ${url}`;
  }
  $('popup-text').textContent = action.multitab
    ? `Opened in a tab of its own: ${url}`
    : `Opened in the popup, which every call uses again: ${url}`;
  $('popup-box').hidden = false;
  return `Popup opened in ${target}: ${url}`;
}

function showRun(action) {
  $('run-program').textContent = String(action.url);
  $('run-args').replaceChildren(...(action.executableArgs ?? []).map((argument) => {
    const item = document.createElement('li');
    item.textContent = String(argument);
    return item;
  }));
  $('run-box').hidden = false;
  return `A program would be run: ${action.url}`;
}

/** Only web addresses are followed, whatever an answer says. */
function webAddress(text) {
  const url = URL.parse(String(text), window.location.href);
  return url !== null && ['http:', 'https:'].includes(url.protocol) ? url.href : null;
}

function refused(url) {
  return `Not a web address, so nothing opens: ${url}`;
}
