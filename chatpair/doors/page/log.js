// The conversation: what was said, by whom, and what became of it. Whatever anybody says gets into
// the page as text alone, here as everywhere: as the text of a node.

const SHOWN = 1_000, KEPT = 300, KEPT_LENGTH = 400_000; // entries, entries and characters

export const MARKS = {
  waiting: ["\u2026", "waiting"],
  handed: ["\u2713", "sent"],
  confirmed: ["\u2713\u2713", "arrived"],
  failed: ["\u2717", "not delivered"],
};

export function make(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children); // strings become text
  return made;
}

const log = document.getElementById("log");
const list = document.getElementById("messages");

// Entries are { kind, text, who, time, status }, by number; the kind is note, peer or mine.
const entries = new Map();
const items = new Map();
let count = 0;

// Who reads the end goes on to, also when the keyboard of a phone takes half of the room. Who reads
// above it is told how much has come below.
const more = document.getElementById("new");
let isAtEnd = true, unseen = 0;
log.addEventListener("scroll", () => {
  isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  if (isAtEnd) tellUnseen(0);
});
new ResizeObserver(toEnd).observe(log);
more.addEventListener("click", () => {
  isAtEnd = true;
  toEnd();
  document.getElementById("text").focus();
});

function toEnd() {
  if (!isAtEnd) return;
  tellUnseen(0);
  log.scrollTop = log.scrollHeight;
}

function tellUnseen(number) {
  unseen = number;
  more.textContent = `${number} new`;
  more.hidden = !number;
}

export function add(entry) {
  count += 1;
  entries.set(count, entry);
  show(count, entry);
  return count;
}

export function settle(number, status) {
  if (!entries.has(number)) return;
  entries.get(number).status = status;
  mark(number);
}

// What there is for the page that a reload makes, the last of it.
export function kept() {
  let length = 0;
  const last = [...entries].slice(-KEPT).reverse();
  return { log: last.filter(([, { text }]) => (length += text.length) < KEPT_LENGTH).reverse(), count };
}

export function restore({ log: saved = [], count: last = 0 }) {
  for (const number of [...items.keys()]) forget(number);
  for (const [number, entry] of saved) {
    entries.set(number, entry);
    show(number, entry);
  }
  count = last;
}

function show(number, entry) {
  const item = make("li", entry.kind);
  if (entry.kind === "note") {
    item.append(entry.text);
  } else {
    const said = make("p", "said", entry.text);
    said.dir = "auto";
    const time = make("time", "", clock(entry.time));
    time.dateTime = entry.time;
    const who = make("bdi", "", entry.who);
    const about = make("p", "about", who, " ", time);
    if (entry.kind === "mine") about.append(" ", make("span", "mark"));
    item.append(about, said);
  }
  items.set(number, item);
  mark(number);
  list.append(item);
  if (items.size > SHOWN) forget(items.keys().next().value);
  isAtEnd ||= entry.kind === "mine";
  if (!isAtEnd) tellUnseen(unseen + 1);
  toEnd();
}

function forget(number) {
  items.get(number).remove();
  items.delete(number);
  entries.delete(number);
}

function mark(number) {
  const entry = entries.get(number);
  if (entry?.kind !== "mine") return;
  const item = items.get(number);
  const [sign, words] = MARKS[entry.status];
  const shown = make("span", "", sign);
  shown.ariaHidden = "true";
  item.querySelector(".mark").replaceChildren(shown, make("span", "unseen", words));
  item.classList.toggle("failed", entry.status === "failed");
}

function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
