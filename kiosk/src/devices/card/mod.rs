//! Card readers by PC/SC, contact and contactless: what a card tells becomes a scan like a swipe.
//!
//! PC/SC blocks, so a reader has a thread of its own. Readers may come later, cards be pulled too early, and the
//! service (`pcscd`) be absent or restarted: each is told on the screen, none stops anything.

mod dialogue;
mod tlv;

use std::{collections::HashMap, ffi::CString, time::Duration};

use pcsc::{
    Card, Context, Disposition, Error, PNP_NOTIFICATION, Protocols, ReaderState, Scope, ShareMode,
    State,
};
use tokio::{runtime::Handle, sync::watch};
use zeroize::Zeroizing;

use self::dialogue::{Dialogue, Step, Told};
use super::state::{Condition, Seat};
use crate::{door::Trigger, doorkeeper::Kiosk, shown::Unread};

/// How long one wait for cards lasts; then it is asked whether the kiosk stops.
const WAIT: Duration = Duration::from_millis(500);
/// What every answer ends with; some readers give less when the card is gone.
const STATUS_BYTES: usize = 2;
/// How often a card that was not read to the end is tried again, and after how long.
const READ_TRIES: u32 = 8;
const READ_AGAIN: Duration = Duration::from_millis(250);
/// A card may be mute for a moment while it is put down.
const CONNECT_TRIES: u32 = 3;

/// Reads cards, from the reader whose name contains `name` or from any, until `stop` turns true. Blocks.
pub(super) fn attend(
    name: Option<&str>,
    seat: &Seat,
    kiosk: &Kiosk,
    stop: &watch::Receiver<bool>,
    runtime: &Handle,
) {
    runtime.block_on(kiosk.started());
    let mut readers =
        Readers { name: name.map(str::to_lowercase), seen: HashMap::new(), failed: HashMap::new() };
    while !*stop.borrow() {
        let ended = Context::establish(Scope::User).and_then(|context| {
            while !*stop.borrow() {
                for reader in readers.wait(&context, seat)? {
                    let came = came(read(&context, &reader));
                    if !matches!(came, Came::Unread(Unread::CardGone))
                        || readers.fails_first(reader)
                    {
                        take(came, kiosk, runtime);
                    }
                }
            }
            Ok(())
        });
        if let Err(error) = ended {
            tracing::debug!(%error, "no card can be read");
            seat.tell(Condition::NoService);
            std::thread::sleep(WAIT);
        }
    }
}

/// What came of a card.
enum Came {
    Number(Zeroizing<String>),
    Unread(Unread),
}

fn came(read: Result<Told, Error>) -> Came {
    match read {
        Ok(Told::Number(number)) => Came::Number(number),
        Ok(Told::Nothing) => Came::Unread(Unread::NoUnionCard),
        Err(Error::UnresponsiveCard | Error::UnsupportedCard | Error::UnpoweredCard) => {
            Came::Unread(Unread::MuteCard)
        }
        Err(error) => {
            tracing::debug!(%error, "a card was not read to the end");
            Came::Unread(Unread::CardGone)
        }
    }
}

/// Takes it to the door.
fn take(came: Came, kiosk: &Kiosk, runtime: &Handle) {
    // What is shown is on the screen.
    drop(match came {
        Came::Number(number) => runtime.block_on(kiosk.scan(number, Trigger::Hand)),
        Came::Unread(unread) => runtime.block_on(kiosk.unread(unread)),
    });
}

/// The readers that are looked at.
struct Readers {
    /// In lower case.
    name: Option<String>,
    /// The last card seen in each, by the service's count.
    seen: HashMap<CString, u32>,
    /// The last card in each that was not read to the end, and how often it was tried.
    failed: HashMap<CString, (u32, u32)>,
}

impl Readers {
    /// Waits a while for cards; gives the readers in which a new one lies.
    fn wait(&mut self, context: &Context, seat: &Seat) -> Result<Vec<CString>, Error> {
        let names = match context.list_readers_owned() {
            Err(Error::NoReadersAvailable) => Vec::new(),
            names => names?,
        };
        let ours = names.into_iter().filter(|name| self.is_ours(name)).collect::<Vec<_>>();
        seat.tell(if ours.is_empty() { Condition::Away } else { Condition::Connected });
        self.seen.retain(|name, _| ours.contains(name));
        let mut states = vec![ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE)];
        states.extend(ours.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)));
        // The first call tells how things are, the second waits for a change of it.
        for wait in [Duration::ZERO, WAIT] {
            match context.get_status_change(wait, &mut states) {
                Ok(()) | Err(Error::Timeout) => {}
                // A reader was unplugged between the list and now.
                Err(Error::UnknownReader | Error::ReaderUnavailable) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
            let new = states[1..].iter().filter(|state| self.is_new(state));
            let new: Vec<CString> = new.map(|state| state.name().to_owned()).collect();
            for state in &mut states {
                if state.name() != PNP_NOTIFICATION() {
                    self.seen.insert(state.name().to_owned(), state.event_count());
                }
                state.sync_current_state();
            }
            if !new.is_empty() {
                return Ok(new);
            }
        }
        Ok(Vec::new())
    }

    /// A card was not read to the end. It may be held a little too high, or laid down again before the service saw
    /// that it was gone: it is tried a few more times. True for the first.
    fn fails_first(&mut self, reader: CString) -> bool {
        let Some(card) = self.seen.get(&reader).copied() else { return true };
        let (_, tries) = self
            .failed
            .get(&reader)
            .filter(|(last, _)| *last == card)
            .copied()
            .unwrap_or((card, 0));
        if tries < READ_TRIES {
            std::thread::sleep(READ_AGAIN);
            self.seen.remove(&reader);
        }
        self.failed.insert(reader, (card, tries + 1));
        tries == 0
    }

    fn is_ours(&self, reader: &CString) -> bool {
        let reader = reader.to_string_lossy().to_lowercase();
        self.name.as_ref().is_none_or(|name| reader.contains(name))
    }

    /// Whether a card lies there that was not there when last looked.
    fn is_new(&self, state: &ReaderState) -> bool {
        let present = state.event_state().contains(State::PRESENT);
        present && self.seen.get(state.name()) != Some(&state.event_count())
    }
}

/// Speaks with the card in `reader`.
fn read(context: &Context, reader: &CString) -> Result<Told, Error> {
    let mut card = connect(context, reader)?;
    let told = {
        // Nobody else speaks to it meanwhile.
        let transaction = card.transaction()?;
        // One that is drawn away may say something wrong first.
        speak(&transaction).and_then(|told| match told {
            Told::Number(_) => Ok(told),
            Told::Nothing => transaction.status2_owned().map(|_| told),
        })
    };
    // A reset that fails has the service believe that the reader is empty, and miss the next card.
    let disposition = if told.is_ok() { Disposition::ResetCard } else { Disposition::LeaveCard };
    // A card that was pulled is disconnected anyway.
    drop(card.disconnect(disposition));
    told
}

fn connect(context: &Context, reader: &CString) -> Result<Card, Error> {
    let mut tries = 1;
    loop {
        match context.connect(reader, ShareMode::Shared, Protocols::ANY) {
            Err(Error::UnresponsiveCard | Error::UnpoweredCard) if tries < CONNECT_TRIES => {
                tries += 1
            }
            connected => return connected,
        }
    }
}

fn speak(card: &Card) -> Result<Told, Error> {
    let (mut dialogue, mut command) = Dialogue::begin();
    let mut answer = Zeroizing::new([0; pcsc::MAX_BUFFER_SIZE]);
    loop {
        let heard = card.transmit(&command, &mut *answer)?;
        if heard.len() < STATUS_BYTES {
            return Err(Error::CommError);
        }
        match dialogue.heard(heard) {
            Step::Say(next) => command = next,
            Step::Done(told) => return Ok(told),
        }
    }
}
