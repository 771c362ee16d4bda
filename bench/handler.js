"use strict";
// A handler as an integrator writes it: no library, one request per call, no
// check of what comes back.
const http = require("http");

const [, , port, crm] = process.argv;
const agent = new http.Agent({ keepAlive: true });
const origin = "https://xuc.example.com";

http.createServer((request, response) => {
	let body = "";
	request.on("data", (part) => (body += part));
	request.on("end", () => {
		const call = JSON.parse(body);
		const number = "+33" + call.caller.slice(1);
		http.get(`${crm}/contacts?phone=${encodeURIComponent(number)}`, { agent }, (found) => {
			let text = "";
			found.on("data", (part) => (text += part));
			found.on("end", () => {
				const contact = JSON.parse(text).items[0];
				const answer = contact
					? { action: "popup", event: "EventRinging", url: `https://crm.example.com/contacts/${contact.id}`, title: contact.name }
					: { action: "none" };
				response.writeHead(200, { "Content-Type": "application/json", "Access-Control-Allow-Origin": origin });
				response.end(JSON.stringify(answer));
			});
		}).on("error", () => {
			response.writeHead(200, { "Content-Type": "application/json", "Access-Control-Allow-Origin": origin });
			response.end(JSON.stringify({ action: "none" }));
		});
	});
}).listen(Number(port), "127.0.0.1");
