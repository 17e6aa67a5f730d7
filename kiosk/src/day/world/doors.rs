//! Who comes to a door, and what the door does about it, step by step.

use super::*;

impl World {
    pub(super) fn somebody_comes(&mut self, at: usize) {
        if self.kiosks[at].on.is_none() {
            return;
        }
        let which = self.random.index(self.holders.len());
        let id = self.holders[which].fact.id;
        self.showing = Showing::Person;
        let by = || Some("甲".to_owned());
        let order = |what, operator| Input::Ordered(Order { what, operator });
        match self.random.below(24) {
            0 => drop(self.drive(
                at,
                order(What::Undo(id, "扫错了".into()), None),
                Who::Ticket(which),
                true,
            )),
            1 => drop(self.drive(at, order(What::CheckIn(id), by()), Who::Ticket(which), true)),
            2 => {
                let pass = order(What::Override(id, "负责人同意".into()), by());
                drop(self.drive(at, pass, Who::Ticket(which), true));
            }
            3..=8 => self.card_is_shown(at),
            _ => {
                let how = self.how(which);
                self.ticket_is_shown(at, which, how);
                // The same picture at another door, a moment later.
                if self.random.of_hundred(30) {
                    let other = self.random.index(self.kiosks.len());
                    self.ticket_is_shown(other, which, how);
                }
            }
        }
    }

    /// How the holder of a ticket shows it.
    fn how(&mut self, which: usize) -> Showing {
        match self.random.below(10) {
            _ if self.holders[which].fact.class == 0 => Showing::Paper,
            0..=1 => Showing::Paper,
            2..=3 => Showing::Screenshot,
            _ => Showing::Page,
        }
    }

    fn ticket_is_shown(&mut self, at: usize, which: usize, how: Showing) {
        let code = self.code(which, how);
        let shown = self.drive(at, code, Who::Ticket(which), true);
        self.id_is_looked_at(at, Who::Ticket(which), shown.as_ref());
    }

    /// Who is asked for an ID has one, mostly, and staff let them in from the list.
    fn id_is_looked_at(&mut self, at: usize, who: Who, shown: Option<&Shown>) {
        let ticket = shown
            .filter(|shown| shown.reason_word() == Some(Reason::ShowId.word()))
            .and_then(|shown| shown.glance);
        if let Some(ticket) = ticket.filter(|_| self.random.of_hundred(70)) {
            self.showing = Showing::Person;
            let operator = Some("甲".to_owned());
            let order = Order { what: What::CheckIn(ticket), operator };
            self.drive(at, Input::Ordered(order), who, true);
        }
    }

    /// A ticket as it is shown now.
    pub(super) fn code(&mut self, which: usize, how: Showing) -> Input {
        let Holder { fact, code, .. } = &self.holders[which];
        let (key, mut text) = (moving_key().ticket(fact.id, fact.reissue), code.clone());
        let ago_ms = match how {
            Showing::Page => {
                Some(10_000 - i64::try_from(self.random.below(30_000)).expect("small"))
            }
            Showing::Screenshot => {
                let long = [60_000, 600_000, 36_000_000][self.random.index(3)];
                Some(-60_000 - i64::try_from(self.random.below(long)).expect("small"))
            }
            Showing::Paper | Showing::Person => None,
        };
        let mut proof = ago_ms.map(|ms| key.proof(self.now.plus(ms)));
        let is_old = ago_ms.is_some_and(|ms| ms < -10 * STEP_MS);
        let of_now =
            |proof: &str| (-10..10).any(|n| key.proof(self.now.plus(n * STEP_MS)) == proof);
        // One picture in two hundred thousand has the letters of a step around now by chance: none of these (seed 2558).
        if let Some(proof) = proof.as_mut().filter(|proof| is_old && of_now(proof)) {
            "AAAA".clone_into(proof);
        }
        text.extend(proof);
        self.showing = how;
        Input::Scanned(Zeroizing::new(text), Trigger::Machine)
    }

    /// Somebody shows a card; who has several vouchers taps one of them; who was given a place may be taken out again.
    fn card_is_shown(&mut self, at: usize) {
        let which = self.random.index(self.people.len());
        let card = Zeroizing::new(self.people[which].card.clone());
        let who = Who::Person(which);
        let shown = self.drive(at, Input::Scanned(card, Trigger::Machine), who, true);
        let Some(shown) = shown else { return };
        if !shown.choices.is_empty() {
            let ticket = shown.choices[self.random.index(shown.choices.len())].ticket;
            let choose = Input::Ordered(Order { what: What::Choose(ticket), operator: None });
            let chosen = self.drive(at, choose, who, true);
            if chosen.as_ref().is_some_and(|shown| shown.verdict_word() != "refused") {
                self.story.counted.chosen += 1;
            }
            self.id_is_looked_at(at, who, chosen.as_ref());
        }
        self.id_is_looked_at(at, who, Some(&shown));
        let given =
            matches!(shown.outcome, Outcome::Decided(Verdict::Admitted, Some(Note::WalkIn)));
        if given && self.random.of_hundred(15) {
            let ticket = self.kiosks[at].disk.journal.last().and_then(|line| line.admitted);
            let what = What::Undo(ticket.expect("the place given"), "扫错了".into());
            self.drive(at, Input::Ordered(Order { what, operator: None }), who, true);
        }
    }

    /// One scan or order at a door, from the first step to what is shown; none when the power went, or it cannot be done.
    pub(super) fn drive(
        &mut self,
        at: usize,
        mut input: Input,
        who: Who,
        luck: bool,
    ) -> Option<Shown> {
        let before = self.before(at, who);
        loop {
            let (now, steady, clock) = (self.now, self.steady(), self.kiosks[at].clock(self.now));
            let on = self.kiosks[at].on.as_mut()?;
            let boast = self.sabotage == Some(Sabotage::BoastOfAgreement);
            let others = u32::try_from(self.lan.len() - 1).expect("few");
            on.door.take_agreed(if boast { others } else { on.mesh.agreed(steady) });
            let effect = on.door.handle(input, clock);
            if luck && self.random.of_hundred(1) {
                self.cut_power(at);
                return None;
            }
            input = match effect {
                Effect::Look(lookup) => Input::Found(self.look(at, lookup)),
                Effect::Ask(_) if self.reaches[at] && self.is_revoked(at) => {
                    self.tell_revoked(at);
                    Input::Answered(None)
                }
                Effect::Ask(check) => {
                    let post = self.post(at);
                    // The question takes a while, and the server's clock shows another time.
                    let while_ms = 1 + self.random.below(CHECK_TIMEOUT_MS - 1);
                    let asked = now.plus(i64::try_from(while_ms).expect("small"));
                    let checked = self.reaches[at]
                        .then(|| self.server.check(&self.kiosks[at].name, &post, &check, asked));
                    let lost = luck && self.random.of_hundred(15);
                    self.story.counted.lost_answers += u64::from(lost && checked.is_some());
                    Input::Answered(checked.filter(|_| !lost).map(Box::new))
                }
                Effect::Record(line) => {
                    let head = line.head;
                    self.kiosks[at].write(line);
                    if luck && self.random.of_hundred(2) {
                        self.cut_power(at);
                        return None;
                    }
                    let news = self.kiosks[at].told_after(head.seq - 1, BATCH);
                    self.mesh(at, mesh::Input::Recorded(head, news));
                    Input::Recorded(true)
                }
                Effect::Show(shown) => {
                    self.judge(at, who, &shown, &before);
                    return Some(shown);
                }
                Effect::Ignore | Effect::Cannot(_) => return None,
            };
        }
    }

    fn look(&self, at: usize, lookup: Lookup) -> crate::door::Found {
        let mut found = self.kiosks[at].look(lookup);
        if self.sabotage == Some(Sabotage::DeafToOthers)
            && let crate::door::Found::Ticket(known) | crate::door::Found::Admission(known, _) =
                &mut found
        {
            known.peers.clear();
        }
        found
    }
}
