// Shows in a status line what happened since the page was loaded, and offers to load it. The page itself never moves.
const RESPONSES = { APPROVED: "approved", MIGRATING: "migrating", BLOCKED: "blocked", SILENT: "silent" };

function describe(event) {
  const subject = event.asset ? event.asset.fqn : "a proposal";
  const team = event.teams.length ? event.teams[event.teams.length - 1].name : "";
  const payload = event.payload || {};
  if (event.kind === "PROPOSAL_ANSWERED") return `${subject} was answered: ${RESPONSES[payload.response] || "anew"}.`;
  if (event.kind === "PROPOSAL_STATUS_CHANGED") return `The proposal of ${subject} is ${String(payload.after).toLowerCase()}.`;
  if (event.kind === "COMMENT_ADDED") return `A comment on ${subject} was added.`;
  if (event.kind.endsWith("REQUESTED")) return `${team || "A team"} is asked about ${subject}.`;
  return `${subject}: ${event.kind.toLowerCase().replaceAll("_", " ")}.`;
}

function show(news, text) {
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = "Load it";
  const line = document.createElement("span");
  line.textContent = text;
  news.replaceChildren(line, link);
}

export function listen(address, news) {
  let source = null;
  const stop = () => {
    if (source) source.close();
    source = null;
  };
  const start = () => {
    if (source || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("next", (message) => {
      const event = JSON.parse(message.data).data?.events;
      if (event) show(news, describe(event));
    });
    source.addEventListener("complete", stop);
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", start);
  start();
}
