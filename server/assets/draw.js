// Computes a published draw again on the reader's own device (docs/draws.md has the rule).
//
//   <output data-draw="/api/v1/offers/ID/draw" data-right="…" data-wrong="…"></output>

const shown = document.querySelector("output[data-draw]");

const bytes = (hex) => Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
const text = new TextEncoder();

const draw = async (record) => {
  const seed = bytes(record.seed);
  if (hex(await crypto.subtle.digest("SHA-256", seed)) !== record.commitment) return null;
  const mac = await crypto.subtle.importKey("raw", seed, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const order = await Promise.all(record.entries.map(async (entry) => {
    const chances = Array.from({ length: entry.weight }, (_, n) => crypto.subtle.sign("HMAC", mac, text.encode(`${entry.id}/${n}`)));
    return { entry, key: (await Promise.all(chances)).map(hex).sort()[0] };
  }));
  order.sort((a, b) => (a.key + a.entry.id < b.key + b.entry.id ? -1 : 1));
  const won = new Set();
  let left = record.quota;
  for (const floor of record.floors) {
    let reserved = Math.min(floor.places, left);
    for (const { entry } of order) {
      if (entry.union === floor.union && entry.places <= reserved && !won.has(entry.id)) {
        won.add(entry.id);
        reserved -= entry.places;
        left -= entry.places;
      }
    }
  }
  for (const { entry } of order) {
    if (!won.has(entry.id) && entry.places <= left) {
      won.add(entry.id);
      left -= entry.places;
    }
  }
  const lost = order.map(({ entry }) => entry.id).filter((id) => !won.has(id));
  return { won: [...won], lost };
};

// Old browsers and plain http have no WebCrypto; the server's own word stands beside.
const check = async () => {
  const record = await (await fetch(shown.dataset.draw)).json();
  const drawn = await draw(record);
  const same = (a, b) => a.length === b.length && a.every((id, n) => id === b[n]);
  const right = drawn && same(drawn.won, record.won) && same(drawn.lost, record.lost);
  shown.textContent = right ? shown.dataset.right : shown.dataset.wrong;
  shown.dataset.done = right ? "right" : "wrong";
};
if (shown && window.crypto && crypto.subtle) check();
