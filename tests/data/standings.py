"""Ranks groups by the text of the rules, for comparison. Reads a JSON list of groups, writes a list of ranks.

Written from the rules alone: ITTF 3.7.5, BWF General Competition Regulations 16.2, FIFA 2022 and 2026, and the union's
own rule (docs/contests.md). Entrants that nothing tells apart share a rank.
"""
import json
import sys
from fractions import Fraction

def counted(group):
    """("games", best of, to, cap or None) or ("goals", halves, minutes)."""
    words = group["counted"].split("/")
    numbers = [int(word) for word in words[1:]]
    return (words[0], *numbers, *([None] if words[0] == "games" and len(numbers) == 2 else []))


def over(game, rule):
    """Which side won the game: 0, 1 or None while it is not over."""
    _, _, target, cap = rule
    hi, lo = max(game), min(game)
    if hi < target or (hi - lo < 2 and hi != cap):
        return None
    return game.index(hi)


def fill(score, rule):
    """Games of a match with what was not played given to the one who stayed."""
    games = [list(g) for g in score["games"]]
    gone = score["end"]["gone"]
    if len(gone) != 1:
        return games
    here = 1 - gone[0]
    if rule[0] == "goals":
        goals = [sum(g[0] for g in games), sum(g[1] for g in games)]
        if goals[here] - goals[gone[0]] >= 3:
            return [goals]
        return [[3, 0] if here == 0 else [0, 3]]
    _, best_of, target, cap = rule
    if games and over(games[-1], rule) is None:
        last = games[-1]
        last[here] = max(target, last[gone[0]] + 2)
        if cap is not None:
            last[here] = min(last[here], cap)
    while sum(over(g, rule) == here for g in games) < best_of // 2 + 1:
        games.append([target, 0] if here == 0 else [0, target])
    return games


class Line:
    """What one entrant has from some matches."""

    def __init__(self):
        self.wins = self.ittf = self.fifa = self.union = 0
        self.m = [0, 0]
        self.g = [0, 0]
        self.p = [0, 0]


def single(score, rule):
    """Who won a single match (0, 1, None), games and points."""
    games = fill(score, rule)
    if rule[0] == "goals":
        g, p = [sum(x[0] for x in games), sum(x[1] for x in games)], [0, 0]
    else:
        g = [sum(x[0] > x[1] for x in games), sum(x[1] > x[0] for x in games)]
        p = [sum(x[0] for x in games), sum(x[1] for x in games)]
    gone = score["end"]["gone"]
    winner = 1 - gone[0] if len(gone) == 1 else (None if g[0] == g[1] else int(g[1] > g[0]))
    return winner, g, p


def lines(group, among):
    out = {e: Line() for e in among}
    rule = counted(group)
    for match in group["live"]:
        who, gone = (match["a"], match["b"]), match["end"]["gone"]
        if who[0] not in out or who[1] not in out:
            continue
        singles = [single(score, rule) for score in match["scores"]]
        wins = [sum(s[0] == 0 for s in singles), sum(s[0] == 1 for s in singles)]
        if group["rubbers"] and len(gone) == 1:
            # A tie that was given: its winner gets as many unplayed single matches as were still needed.
            absent = {"games": [], "end": {"gone": gone, "unplayed": True}}
            while wins[1 - gone[0]] < group["rubbers"] // 2 + 1:
                singles.append(single(absent, rule))
                wins[1 - gone[0]] += 1
        games = [sum(s[1][0] for s in singles), sum(s[1][1] for s in singles)]
        points = [sum(s[2][0] for s in singles), sum(s[2][1] for s in singles)]
        level = wins if group["rubbers"] else games
        if len(gone) == 1:
            winner = 1 - gone[0]
        else:
            winner = None if level[0] == level[1] else int(level[1] > level[0])
        for side in (0, 1):
            line, other = out[who[side]], 1 - side
            won, absent = winner == side, side in gone
            line.wins += won
            line.ittf += 2 if won else (0 if absent else 1)
            line.fifa += 3 if won else (1 if winner is None and not absent else 0)
            line.union += 0 if absent else level[side]
            line.m = [line.m[0] + wins[side], line.m[1] + wins[other]]
            line.g = [line.g[0] + games[side], line.g[1] + games[other]]
            line.p = [line.p[0] + points[side], line.p[1] + points[other]]
    return out


def ratio(pair):
    won, lost = pair
    if won == 0:
        return Fraction(0)
    return Fraction(won, lost) if lost else Fraction(10**9)


def classes(entrants, key):
    """Groups of equal key, the greatest first."""
    keys = sorted({key(e) for e in entrants}, reverse=True)
    return [[e for e in entrants if key(e) == k] for k in keys]


def ittf(group, tied):
    if len(tied) < 2:
        return [tied]
    own = lines(group, tied)
    keys = [lambda e: own[e].ittf, lambda e: ratio(own[e].g), lambda e: ratio(own[e].p)]
    if group["rubbers"]:
        keys.insert(1, lambda e: ratio(own[e].m))
    for key in keys:
        parts = classes(tied, key)
        if len(parts) > 1:
            return [c for part in parts for c in ittf(group, part)]
    return lots(group, tied)


def bwf(group, everyone):
    total = lines(group, everyone)
    keys = [lambda e: total[e].wins, lambda e: total[e].g[0] - total[e].g[1], lambda e: total[e].p[0] - total[e].p[1]]
    if group["rubbers"]:
        keys.insert(1, lambda e: total[e].m[0] - total[e].m[1])

    def go(tied, at):
        if len(tied) < 2:
            return [tied]
        if at > 0 and len(tied) == 2:
            met = lines(group, tied)
            if met[tied[0]].wins != met[tied[1]].wins:
                return [[e] for e in sorted(tied, key=lambda e: -met[e].wins)]
        if at == len(keys):
            return lots(group, tied)
        return [c for part in classes(tied, keys[at]) for c in go(part, at + 1)]

    return go(everyone, 0)


def triple(line):
    return (line.fifa, line.g[0] - line.g[1], line.g[0])


def fifa_2022(group, everyone):
    total = lines(group, everyone)
    out = []
    for tied in classes(everyone, lambda e: triple(total[e])):
        own = lines(group, tied)
        for part in classes(tied, lambda e: triple(own[e]) + (group["conduct"][e],)):
            out += lots(group, part)
    return out


def fifa_2026(group, everyone):
    total = lines(group, everyone)

    def among(tied):
        own = lines(group, tied)
        parts = classes(tied, lambda e: triple(own[e]))
        if len(parts) > 1:
            return [c for part in parts for c in among(part)]
        rest = classes(tied, lambda e: triple(total[e])[1:] + (group["conduct"][e],))
        return [c for part in rest for c in lots(group, part)]

    return [c for tied in classes(everyone, lambda e: total[e].fifa) for c in among(tied)]


def union(group, everyone):
    total = lines(group, everyone)

    def among(tied):
        own = lines(group, tied)
        parts = classes(tied, lambda e: own[e].union)
        if len(parts) > 1:
            return [c for part in parts for c in among(part)]
        ties = [lambda e: total[e].m[0] - total[e].m[1]] if group["rubbers"] else []
        keys = ties + [lambda e: total[e].g[0] - total[e].g[1], lambda e: total[e].p[0] - total[e].p[1]]
        rest = classes(tied, lambda e: tuple(key(e) for key in keys))
        return [c for part in rest for c in lots(group, part)]

    return [c for tied in classes(everyone, lambda e: total[e].union) for c in among(tied)]


def lots(group, tied):
    drawn = group["lots"]
    if len(tied) > 1 and all(drawn[e] is not None for e in tied):
        return [[e] for e in sorted(tied, key=lambda e: drawn[e])]
    return [tied]


def rank(group):
    everyone = list(range(len(group["lots"])))
    gone = set()
    if group["rule"] == "bwf":
        gone = {(m["a"], m["b"])[side] for m in group["matches"] for side in m["end"]["gone"]}
    group["live"] = [m for m in group["matches"] if not {m["a"], m["b"]} & gone]
    order = globals()[group["rule"]](group, [e for e in everyone if e not in gone])
    ranks, next_rank = [0] * len(everyone), 1
    for part in order + ([sorted(gone)] if gone else []):
        for e in part:
            ranks[e] = next_rank
        next_rank += len(part)
    return ranks


json.dump([rank(group) for group in json.load(sys.stdin)], sys.stdout)
