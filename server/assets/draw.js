// Computes a published draw again on the reader's own device (docs/draws.md has the rule).
//
//   <output data-draw="/api/v1/offers/ID/draw" data-right="…" data-wrong="…"></output>

const shown = document.querySelector("output[data-draw]");

const draw = (record) => {
  const seed = sha256.bytes(record.seed);
  if (sha256.hex(sha256.of(seed)) !== record.commitment) return null;
  const mac = sha256.hmac(seed);
  const order = record.entries.map((entry) => {
    const chances = Array.from({ length: entry.weight }, (_, n) => sha256.hex(mac(sha256.utf8(`${entry.id}/${n}`))));
    return { entry, key: chances.sort()[0] };
  });
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

const check = async () => {
  const record = await (await fetch(shown.dataset.draw)).json();
  const drawn = draw(record);
  const same = (a, b) => a.length === b.length && a.every((id, n) => id === b[n]);
  const right = drawn && same(drawn.won, record.won) && same(drawn.lost, record.lost);
  shown.textContent = right ? shown.dataset.right : shown.dataset.wrong;
  shown.dataset.done = right ? "right" : "wrong";
};
if (shown) check();
