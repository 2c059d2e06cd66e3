// What the page shows, and what is typed into it.

import { Line } from "./line.js";
import { MARKS, add, kept, make, restore, settle } from "./log.js";

const STORE = "chatpair"; // in sessionStorage: a tab has a line of its own
const CLOSED = "chatpair closed"; // in localStorage: the line of the tab that was closed last
const TYPING = 3_000, TYPED = 6_000; // milliseconds

const HELP = `To:bob or /to bob: talk with bob
/bye: stop talking, and stay
/who: who is here
/dnd on or off: be called by nobody, or by everybody again
/ring on or off: let calls ring until you answer with To:
/block bob and /unblock bob: be busy whenever bob calls, or no more
/quit or Quit: leave
/help: these lines
Any other line is said to the one you talk with; one with a space first always is`;

const $ = (id) => document.getElementById(id);

const note = (text) => add({ kind: "note", text });

// How things stand

const standing = { connected: false, trouble: "", last: "" };
let typed = 0; // the timer of the peer's typing
let unread = 0;
let callers = []; // those whose calls ring, the last of them first

function stand(changes = {}) {
  Object.assign(standing, changes);
  const { name, peer, away } = line.kept; // away: the peer's connection is lost
  const { connected, trouble, last } = standing;
  write("me", name);
  const whom = ["with ", make("bdi", "", peer ?? "nobody")];
  if (away && peer) whom.push(", who has lost the connection");
  const shown = make("span", "", ...whom);
  if ($("peer").textContent !== shown.textContent) $("peer").replaceChildren(...shown.childNodes);
  write("link", connected ? "connected" : `not connected${trouble && `: ${trouble}`}`);
  write("last", last && MARKS[last][1]);
  $("bye").hidden = peer === null;
  const [caller] = callers;
  $("answer").hidden = caller === undefined;
  if (caller) $("answer").querySelector("bdi").textContent = caller;
}

// A live region that is written again is read out again.
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function refuse(text, isError = true) {
  write("refusal", text);
  $("refusal").classList.toggle("error", isError);
}

function peerTypes(types) {
  clearTimeout(typed);
  write("typing", types ? `${line.kept.peer} is typing` : "");
  if (types) typed = setTimeout(peerTypes, TYPED, false);
}

function title() {
  document.title = `${unread ? `(${unread}) ` : ""}chatpair`;
}

function tell(text) {
  note(text);
  notify("chatpair", text);
}

function notify(heading, text) {
  if (!document.hidden || !("Notification" in window)) return;
  if (Notification.permission !== "granted") return;
  try {
    const shown = new Notification(heading, { body: text.slice(0, 200), tag: STORE });
    shown.onclick = () => window.focus();
  } catch { // where only a service worker may
  }
}

// What is kept for the page that a reload makes

function save() {
  const all = { line: line.kept, ...kept() };
  try {
    sessionStorage.setItem(STORE, JSON.stringify(all));
  } catch { // it is full, or not allowed: the line at least
    try {
      sessionStorage.setItem(STORE, JSON.stringify({ ...all, log: [] }));
    } catch { /* a reload begins anew */ }
  }
}

function stored(storage, key) {
  try {
    return JSON.parse(window[storage].getItem(key)) ?? {};
  } catch {
    return {};
  }
}

// A tab that is closed loses its line only when the server has held it for long enough.
function close() {
  const until = Date.now() + 1000 * line.hold;
  try {
    const { count } = kept(); // the numbers of what was said go on, though it is shown no more
    localStorage.setItem(CLOSED, JSON.stringify({ line: line.kept, count, until }));
  } catch { /* then there is no way back */ }
}

function reopen() { // what close has left, which no other tab may have too
  const closed = stored("localStorage", CLOSED);
  try {
    localStorage.removeItem(CLOSED);
  } catch { /* it is not allowed */ }
  return closed.until > Date.now() ? closed : {};
}

// What the line tells

const on = {
  link(up) {
    if (up) {
      if ($("talk").hidden) {
        prove(false);
        turn("talk");
        note(`Welcome, ${line.kept.name}.`);
      } else if (!standing.connected) {
        note("Connected again.");
      }
    } else {
      note("The connection is lost. Trying again.");
    }
    peerTypes(false);
    stand({ connected: up, trouble: "" });
  },

  event(event) {
    const { says } = line.kept;
    callers = callers.filter((name) => name !== (event.name ?? event.peer));
    switch (event.event) {
      case "named":
        if (event.motd) note(event.motd);
        break;
      case "paired":
        tell(`You are chatting with ${event.peer}.`);
        line.kept.away = false;
        stand({ last: says.length ? "waiting" : "" });
        break;
      case "message":
        add({ kind: "peer", who: event.from, text: event.text, time: event.time });
        if (document.hidden) unread += 1;
        title();
        notify(event.from, event.text);
        break;
      case "left":
        tell(`${event.peer} has left.`);
        break;
      case "free":
        note("You are free.");
        break;
      case "held":
        note(`${event.peer} has lost the connection. What you say is kept for a while.`);
        line.kept.away = true;
        break;
      case "back":
        note(`${event.peer} is back.`);
        line.kept.away = false;
        break;
      case "tried":
        note(`${event.name} tried to reach you.`);
        break;
      case "ringing":
        callers = [event.name, ...callers];
        tell(`${event.name} is calling. To:${event.name} to answer.`);
        break;
      case "unanswered":
        note(`${event.name} does not answer.`);
        break;
      case "dnd":
        note(event.on ? "Nobody can call you now." : "You can be called again.");
        break;
      case "ring":
        note(`Your line ${event.on ? "rings when somebody calls" : "does not ring any more"}.`);
        break;
      case "blocked": case "unblocked":
        note(`You have ${event.event} ${event.name}.`);
        break;
      case "who":
        here(event);
        break;
      case "error":
        note(event.text);
    }
    if (event.event !== "status") peerTypes(event.event === "typing");
    stand();
  },

  settled(number, status, why) {
    settle(number, status);
    if (status === "failed" && why !== "nobody") note("Not delivered: a message of yours.");
    stand({ last: line.kept.says.length ? "waiting" : status });
  },

  answered: work,

  note(text) {
    refuse(text);
    stand({ trouble: text });
  },

  refused(text, asksPassword) {
    turn("door");
    refuse(text);
    $("name").value = line.kept.name;
    prove(asksPassword);
    if (asksPassword) $("password").focus();
  },

  forgotten() {
    const { peer } = line.kept;
    line.kept.away = false;
    callers = [];
    note("The server does not know you any more, so you begin anew.");
    if (peer !== null) note(`${peer} has left.`);
  },

  ended(why) {
    standing.connected = false;
    if (!why || why === "You have left.") {
      restart();
      refuse("You have left.", false);
      return;
    }
    note(why);
    $("again").hidden = false;
    lock(true);
    stand({ trouble: why });
    $("again").focus();
  },

  save,
};

// What is typed

let waiting = []; // lines, until a call is answered that came before them
let toldTyping = 0;

function work() {
  while (waiting.length && !line.waits) obey(waiting.shift());
}

function obey(text) {
  const [, slash, word, rest] = /^(\/?)(\S*)\s*([^]*?)\s*$/.exec(text);
  if (text.includes("\n")) say(text);
  else if (slash) command(word, rest);
  else if (/^to:/i.test(text)) call(text.slice(3).trim());
  else if (text === "Quit") line.quit();
  else say(text);
}

function command(typed, rest) {
  const word = typed.toLowerCase();
  if (rest && /^(bye|who|help|quit)$/.test(word)) {
    note(`Say /${word} alone, or put a space first to say it.`);
    return;
  }
  switch (word) {
    case "to":
      call(rest);
      break;
    case "bye": case "who":
      line.ask({ do: word });
      break;
    case "dnd": case "ring":
      if (/^(on|off|)$/i.test(rest)) line.ask({ do: word, on: !/off/i.test(rest) });
      else note(`Say /${word} on or /${word} off.`);
      break;
    case "block": case "unblock":
      line.ask({ do: word, name: rest });
      break;
    case "help":
      note(HELP);
      break;
    case "quit":
      line.quit();
      break;
    default:
      note(`No such command: /${typed}. Type /help, or put a space first to say it.`);
  }
}

function call(name) {
  line.ask({ do: "to", name });
}

function say(text) {
  const entry = { kind: "mine", who: line.kept.name, text, status: "waiting" };
  const number = add({ ...entry, time: new Date().toISOString() });
  if (line.say(text, number)) {
    stand({ last: "waiting" });
  } else {
    note("That is too long to be said at once.");
    on.settled(number, "failed", "nobody");
  }
}

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value;
  $("text").value = "";
  toldTyping = 0;
  if (text.trim()) waiting.push(text);
  work();
  $("text").focus();
});

$("text").addEventListener("keydown", (event) => {
  // Safari says of the Enter that ends a composition that nothing is composed; its code is 229.
  const isComposing = event.isComposing || event.keyCode === 229;
  if (event.key === "Enter" && !event.shiftKey && !isComposing) {
    event.preventDefault();
    $("say").requestSubmit();
  }
});

$("text").addEventListener("input", () => {
  if (line.kept.peer === null || Date.now() - toldTyping < TYPING) return;
  toldTyping = Date.now();
  line.typing();
});

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  refuse("");
  line.start($("name").value.trim(), $("password").value);
});

$("name").addEventListener("input", () => prove(false)); // a password is one name's

function prove(isAsked) {
  $("password").value = "";
  $("proof").hidden = !isAsked;
}

// The buttons

$("who").addEventListener("click", () => {
  if ($("here").hidden) line.ask({ do: "who" });
  else fold(true);
});

function fold(isFolded) {
  $("here").hidden = isFolded;
  $("who").ariaExpanded = String(!isFolded);
}

function here({ names, more }) {
  const list = names.map(({ name, paired }) => {
    const button = make("button", "", make("bdi", "", name), paired ? " (talking)" : "");
    button.type = "button";
    button.disabled = name === line.kept.name;
    button.addEventListener("click", () => {
      fold(true);
      call(name);
      $("text").focus();
    });
    return make("li", "", button);
  });
  if (more) list.push(make("li", "", `and ${more} more`));
  $("here").replaceChildren(...list);
  fold(false);
}

$("answer").addEventListener("click", () => {
  call(callers[0]);
  $("text").focus();
});

$("bye").addEventListener("click", () => {
  line.ask({ do: "bye" });
  $("text").focus();
});

$("quit").addEventListener("click", () => line.quit());

$("again").addEventListener("click", () => {
  $("again").hidden = true;
  lock(false);
  line.start();
  $("text").focus();
});

$("notify").addEventListener("click", async () => {
  await Notification.requestPermission();
  offer();
});

function offer() {
  const may = isSecureContext && "Notification" in window;
  $("notify").hidden = !may || Notification.permission !== "default";
}

function lock(isLocked) {
  for (const control of [$("text"), $("who"), $("bye"), $("answer")]) control.disabled = isLocked;
}

function turn(page) {
  for (const id of ["door", "talk"]) $(id).hidden = id !== page;
  $(page === "talk" ? "text" : "name").focus();
}

// The beginning

const address = new URL("ws", location.href);
address.protocol = address.protocol.replace("http", "ws");
let line;

function begin(saved) {
  line = new Line(address.href, saved.line, on);
  restore(saved);
  waiting = [];
  callers = [];
  fold(true);
  peerTypes(false);
  stand({ connected: false, trouble: "", last: "" });
  turn(line.kept.key ? "talk" : "door");
  $("back").hidden = true;
  if (line.kept.key) line.start();
}

function offerToGoOn(closed) {
  $("back").hidden = !closed.line;
  if (!closed.line) return;
  $("back").querySelector("bdi").textContent = closed.line.name;
  $("back").onclick = () => begin(closed);
}

function restart() {
  sessionStorage.removeItem(STORE);
  $("again").hidden = true;
  lock(false);
  begin({});
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  title();
  line.tryNow();
});
window.addEventListener("online", () => line.tryNow());
// A page that the browser keeps for "back" would hold its connection, and be silent on it.
window.addEventListener("pagehide", () => {
  if (line.kept.key) {
    save();
    close();
  }
  line.rest();
});
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) reopen();
  line.tryNow();
});

offer();
const closed = reopen(); // of this tab, if it is loaded again
begin(stored("sessionStorage", STORE));
if (!line.kept.key) offerToGoOn(closed);
