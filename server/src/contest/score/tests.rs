//! What may be and what may not, game by game.

use super::*;

const TT: MatchRule = MatchRule::TABLE_TENNIS;
const B21: MatchRule = MatchRule::BADMINTON;
const B15: MatchRule = MatchRule::BADMINTON_15;
const GOALS: MatchRule = MatchRule::FOOTBALL;

fn played(games: &[[i64; 2]]) -> Score {
    Score::of(games.to_vec(), Ending::Played)
}

fn each(rule: MatchRule) -> Game {
    let MatchRule::Games { to, cap, .. } = rule else { panic!("games") };
    Game { to: to.into(), cap: cap.map(i64::from) }
}

#[test]
fn a_game_ends_as_its_sport_says() {
    for (rule, game, ends) in [
        (TT, [11, 9], true),
        (TT, [11, 10], false),
        (TT, [12, 10], true),
        (TT, [13, 10], false),
        (TT, [25, 23], true),
        (TT, [10, 8], false),
        (TT, [0, 11], true),
        (B21, [21, 19], true),
        (B21, [21, 20], false),
        (B21, [22, 20], true),
        (B21, [30, 29], true),
        (B21, [30, 28], true),
        (B21, [30, 27], false),
        (B21, [31, 29], false),
        (B15, [15, 13], true),
        (B15, [15, 14], false),
        (B15, [21, 20], true),
        (B15, [21, 19], true),
        (B15, [22, 20], false),
    ] {
        assert_eq!(each(rule).winner(game).is_some(), ends, "{rule} {game:?}");
    }
}

#[test]
fn a_game_either_goes_on_or_has_ended_or_cannot_be() {
    for rule in [TT, B21, B15] {
        let each = each(rule);
        // From every standing that may be, each next point leads to one that may be or to an end.
        for (a, b) in (0..35).flat_map(|a| (0..35).map(move |b| (a, b))) {
            let open = each.may_stand([a, b]);
            assert!(!(open && each.winner([a, b]).is_some()), "{rule} {a}:{b} ends and goes on");
            for next in [[a + 1, b], [a, b + 1]] {
                let sound = each.may_stand(next) || each.winner(next).is_some();
                assert!(!open || sound, "{rule} {a}:{b} leads to {next:?}");
            }
        }
    }
}

#[test]
fn a_match_ends_when_it_is_decided() {
    let sound = played(&[[11, 9], [9, 11], [11, 8], [11, 9]]);
    let judged = judge(TT, &sound, false).expect("valid");
    assert_eq!((judged.winner, judged.won), (Some(Side::A), [3, 1]));
    let short = judge(TT, &played(&[[11, 9], [11, 9]]), false).expect_err("not over");
    assert!(short.zh.contains("2:0"), "{}", short.zh);
    let long = judge(TT, &played(&[[11, 9]; 4]), false).expect_err("too long");
    assert!(
        long.zh.starts_with("第 4 局 11:9 不成立") && long.en.starts_with("Game 4, 11:9"),
        "{long:?}"
    );
    let wrong = judge(TT, &played(&[[11, 9], [11, 10]]), false).expect_err("no end");
    assert!(wrong.zh.starts_with("第 2 局 11:10 不成立"), "{}", wrong.zh);
    assert!(judge(TT, &played(&[[-1, 11]]), false).is_err());
}

#[test]
fn who_gives_up_loses_and_the_winner_is_given_the_rest() {
    let given_up = Score::of(vec![[11, 9], [4, 6]], Ending::Retired(Side::A));
    assert_eq!(judge(TT, &given_up, false).expect("valid").winner, Some(Side::B));
    assert_eq!(completed(TT, &given_up), [[11, 9], [4, 11], [0, 11], [0, 11]]);
    let even = Score::of(vec![[14, 14]], Ending::Retired(Side::B));
    judge(TT, &even, true).expect("14 all may stand");
    assert_eq!(completed(TT, &even)[0], [16, 14]);
    assert!(judge(TT, &Score::of(vec![[14, 5]], Ending::Retired(Side::B)), false).is_err());
    let over = Score::of(vec![[11, 9]; 3], Ending::Retired(Side::B));
    assert!(judge(TT, &over, false).expect_err("over").zh.contains("已经分出胜负"));
    let put_out = Score { ending: Ending::Disqualified(Side::A), ..over };
    assert_eq!(judge(TT, &put_out, false).expect("after the match").winner, Some(Side::B));
    let at_the_cap = Score::of(vec![[29, 29]], Ending::Retired(Side::A));
    assert_eq!(completed(B21, &at_the_cap)[0], [29, 30]);
}

#[test]
fn who_is_not_there_has_no_score() {
    let absent = Score::of(vec![], Ending::Walkover(Side::A));
    assert_eq!(judge(TT, &absent, true).expect("valid").winner, Some(Side::B));
    assert_eq!(completed(B15, &absent), [[0, 15], [0, 15]]);
    assert!(judge(TT, &Score::of(vec![[11, 9]], Ending::Walkover(Side::A)), true).is_err());
    let neither = Score::of(vec![], Ending::Neither);
    assert_eq!(judge(GOALS, &neither, true).expect("valid").winner, None);
    assert!(completed(GOALS, &neither).is_empty());
}

#[test]
fn what_stands_while_it_is_played_is_checked_too() {
    for (games, sound) in [
        (vec![], true),
        (vec![[3, 4]], true),
        (vec![[11, 9], [10, 10]], true),
        (vec![[11, 9]; 3], true),
        (vec![[10, 9], [1, 0]], false),
        (vec![[15, 3]], false),
        (vec![[11, 9]; 4], false),
    ] {
        assert_eq!(may_stand(TT, &games).is_ok(), sound, "{games:?}");
    }
}

#[test]
fn football_draws_in_groups_and_decides_in_knock_outs() {
    assert_eq!(judge(GOALS, &played(&[[1, 0], [0, 1]]), false).expect("a draw").winner, None);
    for (games, shootout, knockout, winner) in [
        (vec![[2, 1]], None, true, Some(Some(Side::A))),
        (vec![[1, 0], [0, 1]], None, true, None),
        (vec![[1, 1], [0, 0], [0, 1]], None, true, Some(Some(Side::B))),
        (vec![[1, 1], [0, 0], [0, 0]], Some([4, 5]), true, Some(Some(Side::B))),
        (vec![[1, 1], [0, 0]], Some([5, 4]), true, Some(Some(Side::A))),
        (vec![[1, 1], [0, 0], [1, 0]], Some([4, 5]), true, None),
        (vec![[2, 1], [0, 0], [0, 0]], None, true, None),
        (vec![[1, 1], [0, 0]], Some([5, 5]), true, None),
        (vec![[1, 1], [0, 0], [0, 1]], None, false, None),
        (vec![[1, 1]], Some([5, 4]), false, None),
        (vec![], None, false, None),
    ] {
        let score = Score { games: games.clone(), shootout, ending: Ending::Played };
        let judged = judge(GOALS, &score, knockout).ok().map(|judged| judged.winner);
        assert_eq!(judged, winner, "{games:?} {shootout:?} knock-out {knockout}");
    }
    let left = Score::of(vec![[2, 1]], Ending::Retired(Side::A));
    assert_eq!(judge(GOALS, &left, false).expect("valid").winner, Some(Side::B));
    assert_eq!(completed(GOALS, &left), [[0, 3]]);
    assert_eq!(completed(GOALS, &Score { games: vec![[0, 5]], ..left }), [[0, 5]]);
}
