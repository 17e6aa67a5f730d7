// Makes and plays brackets with brackets-manager, and says who met whom in which round.
//
// Reads a JSON list of stages, one object each:
//   { "lines": ["a", null, …], "thirdPlace": bool }   a knock-out by its lines from the top; null is a bye
//   { "seeds": ["a", "b", …], "size": 16 }            a knock-out by seeds, the strongest first; it places them itself
//   { "members": ["a", …] }                           everybody against everybody
//   { "entries": 22, "groups": 6 }                    how many stand in each group
// Of two the one whose name sorts first wins. Writes a list of answers in the same order.
const { BracketsManager } = require("brackets-manager");
const { InMemoryDatabase } = require("brackets-memory-db");

async function stage(type, seeding, settings) {
  const storage = new InMemoryDatabase();
  const manager = new BracketsManager(storage);
  await manager.create.stage({ tournamentId: 0, name: "stage", type, seeding, settings });
  return { storage, manager };
}

// Rounds count from 1 in each group of the stage; the second group of a knock-out is the match for the third place.
function told({ match, round, participant }) {
  const name = (side) => (side === null ? "bye" : side.id === null ? "?" : participant.find((p) => p.id === side.id).name);
  return match.map((one) => ({
    round: round.find((r) => r.id === one.round_id).number,
    group: one.group_id,
    a: name(one.opponent1),
    b: name(one.opponent2),
  }));
}

async function play({ storage, manager }) {
  for (const { id } of storage.data.match) {
    const one = storage.data.match.find((m) => m.id === id);
    const of = (side) => side && side.id !== null && storage.data.participant.find((p) => p.id === side.id).name;
    const [a, b] = [of(one.opponent1), of(one.opponent2)];
    if (!a || !b) continue;
    await manager.update.match({ id, [a < b ? "opponent1" : "opponent2"]: { result: "win" } });
  }
}

async function answer(asked) {
  if (asked.lines) {
    const settings = { seedOrdering: ["natural"], consolationFinal: asked.thirdPlace };
    const made = await stage("single_elimination", asked.lines, settings);
    await play(made);
    const groups = [...new Set(made.storage.data.match.map((one) => one.group_id))].sort((a, b) => a - b);
    return told(made.storage.data)
      .filter((one) => one.a !== "bye" && one.b !== "bye")
      .map((one) => ({ round: one.round, third: one.group === groups[1], a: one.a, b: one.b }));
  }
  if (asked.seeds) {
    const seeding = [...asked.seeds, ...Array(asked.size - asked.seeds.length).fill(null)];
    const made = await stage("single_elimination", seeding, { seedOrdering: ["inner_outer"] });
    return told(made.storage.data).filter((one) => one.round === 1).flatMap((one) => [one.a, one.b]);
  }
  if (asked.members) {
    const made = await stage("round_robin", asked.members, { groupCount: 1 });
    return told(made.storage.data).filter((one) => one.a !== "bye" && one.b !== "bye").map(({ round, a, b }) => ({ round, a, b }));
  }
  const members = [...Array(asked.entries).keys()].map((n) => `e${n}`);
  const made = await stage("round_robin", members, { groupCount: asked.groups, seedOrdering: ["groups.seed_optimized"] });
  const sizes = new Map();
  for (const one of made.storage.data.match) {
    const known = sizes.get(one.group_id) ?? new Set();
    for (const side of [one.opponent1, one.opponent2]) if (side && side.id !== null) known.add(side.id);
    sizes.set(one.group_id, known);
  }
  return [...sizes.values()].map((known) => known.size);
}

(async () => {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  const answers = [];
  for (const asked of JSON.parse(text)) answers.push(await answer(asked));
  process.stdout.write(JSON.stringify(answers));
})();
