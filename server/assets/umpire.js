// An umpire's phone. The score is kept on the phone first and sent as a whole, with the version it is based on and a key:
// a lost reply is asked for again under the same key, and what was tapped without a network goes out when it is back.
//
// The link's secret stands behind the `#` of the address; it is kept here and sent in a header, so no log sees it.

const main = document.querySelector("[data-event]");
const event = main.dataset.event;
const words = JSON.parse(main.dataset.words);
const byId = (id) => document.getElementById(id);
// What browsers of 2018 lack.
const or = (value, other) => (value === undefined || value === null ? other : value);
const copyOf = (plain) => JSON.parse(JSON.stringify(plain));
const lastOf = (list) => list[list.length - 1];
const fill = (node, ...children) => { node.textContent = ""; node.append(...children); };
const say = (text, values = {}) => text.replace(/{(\w+)}/g, (_, name) => or(values[name], ""));

const store = {
  get: (key) => { try { return JSON.parse(localStorage.getItem(key)); } catch (failed) { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, JSON.stringify(value)); } catch (failed) { /* private mode: memory only */ } },
  drop: (key) => { try { localStorage.removeItem(key); } catch (failed) { /* as above */ } },
};

if (location.hash.length > 20) {
  store.set(`umpire:${event}`, location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}
const secret = store.get(`umpire:${event}`);

const ask = async (path, body) => {
  const headers = { accept: "application/json" };
  if (secret) headers["x-umpire"] = secret;
  if (body) headers["content-type"] = "application/json";
  const answer = await fetch(`/api/v1${path}`, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  return { status: answer.status, body: await answer.json().catch(() => ({})) };
};

const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/* ---------------------------------------------------------------- the list */

let matches = [];
let current = null;
/// The server's clock minus the phone's.
let skew = 0;

const element = (tag, text, kind) => {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

const list = async () => {
  let answer;
  try {
    answer = await ask(`/events/${event}/play`);
  } catch (failed) {
    return;
  }
  if (answer.status === 401 || answer.status === 404) {
    fill(byId("matches"), element("p", words.signedOut));
    return;
  }
  if (answer.status !== 200) return;
  matches = answer.body.matches;
  skew = answer.body.now_ms - Date.now();
  if (current) {
    const fresh = matches.find((match) => match.id === current.match.id);
    if (fresh && !current.waiting && fresh.version > current.match.version) adopt(fresh);
    else if (fresh && fresh.version === current.match.version) { current.match = fresh; draw(); }
    return;
  }
  const rows = matches.map((match) => {
    const row = element("button", "", `row ${match.state}`);
    row.type = "button";
    row.dataset.match = match.id;
    row.append(element("b", or(match.court, "")), element("span", `${match.a.name} – ${match.b.name}`), element("small", `${match.discipline} · ${match.stage} · ${or(words[match.state], words.ended)}`));
    row.addEventListener("click", () => open(match));
    return row;
  });
  fill(byId("matches"), ...(rows.length ? rows : [element("p", words.none, "soft")]));
};

/* ---------------------------------------------------------------- the rules, as the server judges them */

const goals = (match) => match.rule.halves != null;

/// Which side won a game that stands so: 0, 1, or null while it goes on.
const gameWinner = ([a, b], { to, cap }) => {
  const [most, least] = [Math.max(a, b), Math.min(a, b)];
  if (most < to || (most - least < 2 && most !== cap)) return null;
  return a > b ? 0 : 1;
};

const gamesWon = (state) => {
  const won = [0, 0];
  for (const game of state.games) {
    const side = gameWinner(game, current.match.rule);
    if (side !== null) won[side] += 1;
  }
  return won;
};

const total = (games) => games.reduce(([a, b], game) => [a + game[0], b + game[1]], [0, 0]);

/// What may happen next: more points, the next game or part, or the end.
const outlook = (state) => {
  const { rule, knockout } = current.match;
  if (!goals(current.match)) {
    const won = gamesWon(state);
    const need = Math.floor(rule.best_of / 2) + 1;
    const last = lastOf(state.games);
    if (won[0] === need || won[1] === need) return { over: true, score: `${won[0]}:${won[1]}` };
    return { next: last && gameWinner(last, rule) !== null ? say(words.nextGame, { n: state.games.length, score: last.join(":") }) : null };
  }
  const sum = total(state.games);
  const level = sum[0] === sum[1];
  if (state.shootout) return { over: state.shootout[0] !== state.shootout[1], score: `${sum.join(":")} (${state.shootout.join(":")})` };
  if (state.games.length < rule.halves) return { next: words.nextPart };
  if (knockout && level) {
    const extra = state.games.length > rule.halves;
    return { next: extra ? null : words.toExtra, shootout: true };
  }
  return { over: true, score: sum.join(":") };
};

/* ---------------------------------------------------------------- one match */

const keep = () => store.set(`score:${current.match.id}`, { state: current.state, waiting: current.waiting, version: current.match.version, past: current.past.slice(-50) });

const open = (match) => {
  const kept = store.get(`score:${match.id}`);
  current = { match, state: { games: match.games.length ? match.games : [[0, 0]], shootout: match.shootout, outcome: match.outcome, gone: null }, past: [], waiting: null, swapped: false, sending: false };
  // What this phone has and the server has not, after a reload without a network.
  if (kept && kept.waiting && match.state !== "ended") Object.assign(current, { state: kept.state, waiting: kept.waiting, past: kept.past });
  else if (kept && kept.version === match.version) current.past = kept.past;
  byId("list").hidden = true;
  byId("scorer").hidden = false;
  draw();
  send();
};

const adopt = (match) => {
  current.match = match;
  current.state = { games: match.games.length ? match.games : [[0, 0]], shootout: match.shootout, outcome: match.outcome, gone: null };
  current.past = [];
  current.waiting = null;
  keep();
  draw();
};

const change = (make) => {
  if (current.match.state === "ended" || current.state.outcome) return;
  current.past.push(copyOf(current.state));
  const state = copyOf(current.state);
  make(state);
  commit(state);
};

const commit = (state) => {
  current.state = state;
  // One report waits at most: the newest, as it holds everything. One that is on its way keeps its key.
  current.waiting = { key: newKey(), ...state };
  if (navigator.vibrate) navigator.vibrate(15);
  keep();
  draw();
  send();
};

const point = (side) => {
  const { state, match } = current;
  // A game that has ended takes no more points: a late tap is no point and nothing to undo.
  if (!state.shootout && !goals(match) && gameWinner(lastOf(state.games), match.rule) !== null) return;
  change((next) => {
    if (next.shootout) next.shootout[side] += 1;
    else lastOf(next.games)[side] += 1;
  });
};

const undo = () => {
  const before = current.past.pop();
  if (before && current.match.state !== "ended") commit(before);
};

let pause = 1000;
let timer = 0;

const send = async () => {
  clearTimeout(timer);
  const sent = current && current.waiting;
  if (!sent || current.sending) return;
  const working = current;
  working.sending = true;
  status(words.saving);
  // A report that was on its way when the network failed goes out again as it was: same key, same version.
  const body = or(working.flight, { key: sent.key, version: working.match.version, games: played(sent), shootout: sent.shootout, outcome: sent.outcome, gone: sent.gone });
  working.flight = body;
  try {
    const answer = await ask(`/matches/${working.match.id}/report`, body);
    if (answer.status >= 500 || answer.status === 429) throw new Error("busy");
    working.flight = null;
    pause = 1000;
    if (answer.status === 200) {
      working.match = { ...answer.body };
      if (working.waiting && working.waiting.key === body.key) working.waiting = null;
      status(words.saved);
      tell("");
    } else {
      working.waiting = null;
      tell(or(answer.body.title, or(answer.body.detail, "")));
      const fresh = await ask(`/matches/${working.match.id}`);
      if (fresh.status === 200 && current === working) adopt(fresh.body);
      tell(or(answer.body.detail, or(answer.body.title, "")));
    }
  } catch (failed) {
    status(words.offline, true);
    pause = Math.min(pause * 2, 15000);
    timer = setTimeout(send, pause);
  }
  working.sending = false;
  if (current === working) {
    keep();
    draw();
    if (working.waiting && !working.flight) send();
  }
};

/// Games that were begun: an empty one at the end was only opened.
const played = (state) => {
  const games = copyOf(state.games);
  const whole = goals(current.match);
  if (state.outcome === "walkover") return [];
  if (!whole && games.length && lastOf(games)[0] === 0 && lastOf(games)[1] === 0) games.pop();
  return games;
};

const status = (text, off = false) => {
  byId("sync").textContent = text;
  byId("sync").classList.toggle("off", off);
};

const tell = (text) => {
  byId("say").hidden = !text;
  byId("say").firstElementChild.textContent = text;
};

const draw = () => {
  const { match, state, swapped } = current;
  const ended = match.state === "ended";
  byId("where").textContent = [match.court, match.discipline, match.stage, match.rule.said].filter(Boolean).join(" · ");
  const last = or(state.shootout, or(lastOf(state.games), [0, 0]));
  const order = swapped ? [1, 0] : [0, 1];
  const sides = [match.a, match.b];
  for (const [at, pad] of [byId("pad-a"), byId("pad-b")].entries()) {
    const side = order[at];
    pad.dataset.side = side;
    pad.disabled = ended || Boolean(state.outcome);
    pad.querySelector(".who").textContent = sides[side].name;
    pad.querySelector("small").textContent = [sides[side].organisation, or(sides[side].players, []).join("、")].filter(Boolean).join(" · ");
    pad.querySelector("b").textContent = goals(match) && !state.shootout ? total(state.games)[side] : last[side];
  }
  const part = state.shootout ? words.shootout : goals(match)
    ? state.games.length > match.rule.halves ? words.extra : say(words.half, { n: state.games.length })
    : say(words.game, { n: state.games.length });
  const before = goals(match) ? state.games : state.games.slice(0, -1);
  byId("lines").textContent = [...before.map((game) => (swapped ? [game[1], game[0]] : game).join(":")), part].join("  ");
  const view = outlook(state);
  const next = byId("next");
  next.hidden = !(ended || view.over || view.next);
  next.textContent = ended ? words.back : view.over ? say(words.finish, { score: view.score }) : view.next;
  byId("part").hidden = ended || !view.shootout;
  byId("part").textContent = words.toShootout;
  // Before the first point: who has come, and the walk-over when the call clock has run out.
  const waited = match.state === "called" && !state.outcome && !total(state.games).some(Boolean);
  byId("here").hidden = !waited;
  for (const [at, id] of ["here-a", "here-b"].entries()) {
    byId(id).textContent = say(sides[at].here ? words.isHere : words.here, sides[at]);
    byId(id).setAttribute("aria-pressed", String(sides[at].here));
  }
  const missing = sides.find((side) => !side.here);
  const due = match.late_ms && Date.now() + skew >= match.late_ms;
  byId("late").hidden = !(waited && due && sides[0].here !== sides[1].here);
  byId("late").textContent = missing ? say(words.late, missing) : "";
  byId("undo").disabled = ended || !current.past.length;
  byId("more").disabled = ended;
  if (ended) {
    const winner = match.winner === "a" ? match.a.name : match.winner === "b" ? match.b.name : words.draw;
    tell(`${words.over}：${match.winner ? say(words.won, { name: winner }) : words.draw}`);
  }
};

const settle = async (path, body) => {
  const { match } = current;
  try {
    const answer = await ask(`/matches/${match.id}/${path}`, body);
    if (!current || current.match.id !== match.id) return;
    tell(answer.status === 200 ? "" : or(answer.body.detail, or(answer.body.title, "")));
    if (answer.status !== 200) return;
    if (answer.body.version > match.version) return adopt(answer.body);
    current.match = answer.body;
    draw();
  } catch (failed) {
    tell(words.offline);
  }
};
for (const [at, id] of ["here-a", "here-b"].entries()) byId(id).addEventListener("click", () => settle("arrival", { side: "ab"[at], here: ![current.match.a, current.match.b][at].here }));
byId("late").addEventListener("click", () => settle("late", {}));
setInterval(() => { if (current) draw(); }, 10000);

for (const id of ["pad-a", "pad-b"]) byId(id).addEventListener("click", (tap) => point(Number(tap.currentTarget.dataset.side)));
byId("undo").addEventListener("click", undo);
byId("swap").addEventListener("click", () => { current.swapped = !current.swapped; draw(); });
byId("part").addEventListener("click", () => change((state) => { state.shootout = [0, 0]; }));
byId("next").addEventListener("click", () => {
  if (current.match.state === "ended") return leave();
  const view = outlook(current.state);
  if (view.over) change((state) => { state.outcome = "played"; });
  else change((state) => { state.games.push([0, 0]); });
});
byId("more").addEventListener("click", () => {
  const { match } = current;
  const began = total(current.state.games).some(Boolean);
  const choices = [match.a, match.b].flatMap((side, at) => {
    const gone = at === 0 ? "a" : "b";
    return [began ? ["retired", gone, say(words.retired, side)] : ["walkover", gone, say(words.walkover, side)]];
  });
  if (!began) choices.push(["walkover", null, words.neither]);
  fill(byId("choices"), ...choices.map(([outcome, gone, text]) => {
    const button = element("button", text, "button grave full");
    button.type = "button";
    button.addEventListener("click", () => {
      byId("ask").close();
      change((state) => Object.assign(state, { outcome, gone }));
    });
    return button;
  }));
  byId("ask").showModal();
});
byId("never").addEventListener("click", () => byId("ask").close());

const leave = () => {
  if (current && !current.waiting) store.drop(`score:${current.match.id}`);
  current = null;
  byId("list").hidden = false;
  byId("scorer").hidden = true;
  list();
};
byId("leave").addEventListener("click", leave);

addEventListener("online", send);
addEventListener("visibilitychange", () => { if (!document.hidden) list(); });

list();
const stream = new EventSource(`/api/v1/events/${event}/changes`);
stream.onmessage = list;
stream.onopen = list;
