// What XucMgt POSTs for a ringing call, in the original's order of keys. A key
// whose value is undefined is dropped by JSON.stringify, there as here.

/** The releases that differ in what they send. The newest comes first. */
export const releases = ['2024.05', '2022.10', '2017.03', '2016.02'];

export const queues = [
  { id: 2, name: 'trucks', displayName: 'Trucks', number: '3001' },
  { id: 3, name: 'bluesky', displayName: 'Blue sky', number: '3002' },
  { id: 4, name: 'support', displayName: 'Support', number: '3003' },
];

export const agents = [
  { userId: 54, agentId: 29, firstName: 'James', lastName: 'Bond', line: '1000' },
  { userId: 57, agentId: 31, firstName: 'Amélie', lastName: 'Laurent', line: '1002' },
  { userId: 61, agentId: 33, firstName: 'Jürgen', lastName: 'Brandt', line: '1003' },
];

let callsMade = 0;

/**
 * @param {object} form agent {userId, agentId, firstName, lastName}, callee,
 *   caller (undefined when the trunk delivered none), queue (a name or ''),
 *   did, extra (an object), release.
 */
export function payload(form) {
  callsMade += 1;
  return {
    user: user(form.agent, form.release),
    callee: form.callee,
    caller: form.caller,
    userData: userData(form),
    callDataCallId: form.release === '2016.02' ? undefined : `${now()}.${callsMade}`,
    queue: queues.find((queue) => queue.name === form.queue),
  };
}

/** Reads key=value lines. A line without "=" is a key without a value. */
export function keyValues(text) {
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  return Object.fromEntries(lines.map((line) => {
    const [key, ...rest] = line.split('=');
    return [key.trim(), rest.join('=').trim()];
  }));
}

function user(agent, release) {
  return {
    userId: agent.userId,
    agentId: agent.agentId,
    firstName: agent.firstName,
    lastName: agent.lastName,
    fullName: `${agent.firstName} ${agent.lastName}`.trim(),
    token: release === '2024.05' ? token(agent) : undefined,
  };
}

function userData(form) {
  return {
    XIVO_CONTEXT: /^\d{2,6}$/.test(form.caller ?? '') ? 'default' : 'from-extern',
    XIVO_USERID: String(form.agent.userId),
    XIVO_SRCNUM: form.caller,
    XIVO_DSTNUM: form.did === '' ? undefined : form.did,
    SIPCALLID: form.release === '2024.05' ? crypto.randomUUID() : undefined,
    ...form.extra,
  };
}

/** Looks like the agent's token and opens nothing: the signature is a word. */
function token(agent) {
  const claims = {
    login: `${agent.firstName}.${agent.lastName}`.toLowerCase(),
    expiresAt: now() + 3600,
    issuedAt: now(),
    userType: 'cti',
    acls: ['alias.ctiuser'],
    softwareType: 'webBrowser',
  };
  return [JSON.stringify({ typ: 'JWT', alg: 'HS256' }), JSON.stringify(claims), 'simulated signature']
    .map(base64url)
    .join('.');
}

function base64url(text) {
  const bytes = new TextEncoder().encode(text);
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function now() {
  return Math.floor(Date.now() / 1000);
}
