"use strict";
// The agent has finished: the agent application closes the pane and ends a
// pause. A window of its own just closes.
const finish = () => {
	if (window.parent === window) {
		window.close();
		return;
	}
	window.parent.postMessage("closeThirdParty", document.documentElement.dataset.origin || "*");
};
for (const button of document.querySelectorAll("[data-done]")) button.addEventListener("click", finish);

// Copying a selection works everywhere; the clipboard's own interface only where
// the agent application allows it to the pane.
const copySelected = (text) => {
	const area = document.createElement("textarea");
	area.value = text;
	area.setAttribute("readonly", "");
	document.body.append(area);
	area.select();
	const done = document.execCommand("copy");
	area.remove();
	return done;
};
for (const button of document.querySelectorAll("[data-copy]")) {
	button.hidden = false;
	button.addEventListener("click", async () => {
		const text = button.parentElement.querySelector("bdi").textContent;
		if (!copySelected(text)) await navigator.clipboard.writeText(text);
		button.focus();
		button.textContent = button.ariaLabel = button.dataset.copied;
	});
}

// A record that opens in a tab leaves its card, with Done, in the pane.
for (const link of document.querySelectorAll("[data-then]")) {
	link.addEventListener("click", () => setTimeout(() => location.assign(link.dataset.then)));
}

// The lookup goes on behind the waiting page, and says where to go from there.
const wait = document.querySelector("[data-wait]");
if (wait) {
	const look = async () => {
		try {
			const answer = await fetch(wait.dataset.wait, { headers: { Accept: "application/json" } });
			if (answer.status >= 500) throw new Error(answer.status);
			// Without an answer, the address itself shows why: the link is too old.
			location.replace(answer.ok ? (await answer.json()).next : wait.dataset.wait);
		} catch {
			setTimeout(look, 2000); // the gateway itself is away, for a restart perhaps
		}
	};
	look();
}
