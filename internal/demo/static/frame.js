// In the agent's pane, the page shows a bar with a Done button. XucMgt closes
// the pane, and ends the agent's pause, when the page posts "closeThirdParty".
'use strict';

if (window.parent !== window) {
  document.documentElement.classList.add('framed');
}

document.addEventListener('DOMContentLoaded', () => {
  document.getElementById('done').addEventListener('click', () => {
    window.parent.postMessage('closeThirdParty', '*');
  });
});
