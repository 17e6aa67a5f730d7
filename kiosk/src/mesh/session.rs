//! Two kiosks on one connection: each proves who it is, and that what it says is said now. Without I/O.
//!
//! Each begins with its id and a random challenge. From then on every frame is signed over both ids, both challenges and
//! a number that goes up, so that nothing recorded elsewhere, or earlier, or for somebody else, is believed. Whoever the
//! server does not vouch for is told nothing but an id and a random number.

use std::collections::HashMap;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::{Message, Proven, Signed, State};

const VERSION: u32 = 1;

/// Why a connection is ended. Nothing else comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("not a frame of ours")]
    Malformed,
    #[error("a kiosk that the server does not vouch for")]
    Unknown,
    #[error("its signature does not hold")]
    Forged,
    #[error("this kiosk itself")]
    Myself,
}

/// One side of a connection.
pub(crate) struct Session {
    me: String,
    key: SigningKey,
    challenge: String,
    other: Option<Other>,
}

struct Other {
    kiosk: String,
    key: VerifyingKey,
    challenge: String,
    sent: u64,
    received: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    turnout: u32,
    kiosk: String,
    challenge: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    n: u64,
    body: String,
    signature: String,
}

#[derive(Serialize, Deserialize)]
struct Body {
    state: State,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    told: Vec<Signed>,
}

impl Session {
    /// `challenge` is random.
    pub(crate) fn new(me: String, key: SigningKey, challenge: [u8; 16]) -> Self {
        Self { me, key, challenge: HEXLOWER.encode(&challenge), other: None }
    }

    /// What is sent first.
    pub(crate) fn hello(&self) -> Vec<u8> {
        let (kiosk, challenge) = (self.me.clone(), self.challenge.clone());
        json(&Hello { turnout: VERSION, kiosk, challenge })
    }

    /// Takes the first frame; gives who the other claims to be. Believed once [`Self::read`] reads a frame of theirs.
    pub(crate) fn greeted(
        &mut self,
        frame: &[u8],
        keys: &HashMap<String, VerifyingKey>,
    ) -> Result<String, Broken> {
        let hello: Hello = serde_json::from_slice(frame).map_err(|_| Broken::Malformed)?;
        if hello.turnout != VERSION || hello.challenge.len() != self.challenge.len() {
            return Err(Broken::Malformed);
        }
        if hello.kiosk == self.me {
            return Err(Broken::Myself);
        }
        let key = *keys.get(&hello.kiosk).ok_or(Broken::Unknown)?;
        let (kiosk, challenge) = (hello.kiosk.clone(), hello.challenge);
        self.other = Some(Other { kiosk, key, challenge, sent: 0, received: 0 });
        Ok(hello.kiosk)
    }

    /// The frame that says `message`; none before the other was heard.
    pub(crate) fn frame(&mut self, message: &Message) -> Option<Vec<u8>> {
        let other = self.other.as_mut()?;
        let body = match message {
            Message::State(state) => Body { state: state.clone(), told: Vec::new() },
            Message::Told(state, told) => {
                let told = told.iter().map(|proven| proven.signed().clone()).collect();
                Body { state: state.clone(), told }
            }
        };
        let body = String::from_utf8(json(&body)).ok()?;
        other.sent += 1;
        let text = signed_text(
            [&self.me, &self.challenge],
            [&other.kiosk, &other.challenge],
            other.sent,
            &body,
        );
        let signature = BASE64.encode(&self.key.sign(&text).to_bytes());
        Some(json(&Frame { n: other.sent, body, signature }))
    }

    /// Proves that this side is who it claims to be, and says nothing.
    pub(crate) fn proof(&mut self) -> Option<Vec<u8>> {
        self.frame(&Message::State(State::default()))
    }

    /// What a frame says. What it tells of kiosks that are not believed, or never said, is left out.
    pub(crate) fn read(
        &mut self,
        frame: &[u8],
        keys: &HashMap<String, VerifyingKey>,
    ) -> Result<Message, Broken> {
        let other = self.other.as_mut().ok_or(Broken::Unknown)?;
        let Frame { n, body, signature } =
            serde_json::from_slice(frame).map_err(|_| Broken::Malformed)?;
        let bytes =
            BASE64.decode(signature.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        let signature = Signature::from_bytes(&bytes.ok_or(Broken::Malformed)?);
        let text =
            signed_text([&other.kiosk, &other.challenge], [&self.me, &self.challenge], n, &body);
        if n != other.received + 1 || other.key.verify_strict(&text, &signature).is_err() {
            return Err(Broken::Forged);
        }
        other.received = n;
        let Body { state, told } = serde_json::from_str(&body).map_err(|_| Broken::Malformed)?;
        let key_of = |kiosk: &str| keys.get(kiosk).copied();
        let proven: Vec<Proven> =
            told.into_iter().filter_map(|signed| Proven::check(signed, key_of)).collect();
        Ok(if proven.is_empty() { Message::State(state) } else { Message::Told(state, proven) })
    }
}

fn signed_text(from: [&str; 2], to: [&str; 2], n: u64, body: &str) -> Vec<u8> {
    let ([from, from_challenge], [to, to_challenge]) = (from, to);
    format!("turnout mesh 1\n{from}\n{from_challenge}\n{to}\n{to_challenge}\n{n}\n{body}")
        .into_bytes()
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use admission::{Millis, decide::Use, scan::Chain, ticket::TicketId};
    use proptest::prelude::*;

    use super::{
        super::{Did, Time, Told},
        *,
    };

    fn key(of: u8) -> SigningKey {
        SigningKey::from_bytes(&[of; 32])
    }

    fn keys() -> HashMap<String, VerifyingKey> {
        [("a", 1), ("b", 2)].map(|(id, of)| (id.to_owned(), key(of).verifying_key())).into()
    }

    fn session(me: &str, of: u8) -> Session {
        Session::new(me.to_owned(), key(of), [of; 16])
    }

    fn pair() -> (Session, Session) {
        let (mut a, mut b) = (session("a", 1), session("b", 2));
        a.greeted(&b.hello(), &keys()).expect("known");
        b.greeted(&a.hello(), &keys()).expect("known");
        (a, b)
    }

    fn state(head: u64) -> State {
        let time = Some(Time { at: Millis(7), error_ms: 5 });
        let have = BTreeMap::from([("b".to_owned(), 7)]);
        State { head, chain: Chain::start("a"), have, time }
    }

    fn fact(of: u8) -> Proven {
        let did = Did {
            ticket: TicketId([1; 12]),
            used: Use::entry(Millis(5), "东门".into()),
            undoes: None,
            holder: None,
        };
        let told =
            Told { kiosk: "a".into(), event: 4, seq: 3, chain: Chain::start("a"), did: Some(did) };
        Proven::sign(told, &key(of))
    }

    #[test]
    fn what_is_said_is_heard() {
        let (mut a, mut b) = pair();
        for message in [Message::State(state(3)), Message::Told(state(4), vec![fact(1)])] {
            let frame = a.frame(&message).expect("greeted");
            assert_eq!(b.read(&frame, &keys()), Ok(message));
        }
    }

    #[test]
    fn a_stranger_and_a_mirror_are_turned_away() {
        let mut a = session("a", 1);
        assert_eq!(a.greeted(&session("x", 9).hello(), &keys()), Err(Broken::Unknown));
        assert_eq!(a.greeted(&session("a", 1).hello(), &keys()), Err(Broken::Myself));
        assert_eq!(a.greeted(b"GET / HTTP/1.1", &keys()), Err(Broken::Malformed));
        assert!(a.frame(&Message::State(state(1))).is_none(), "nothing is said to nobody");
    }

    #[test]
    fn who_only_claims_to_be_a_kiosk_is_not_believed() {
        let (_, mut b) = pair();
        let mut thief = session("a", 9);
        thief.greeted(&b.hello(), &keys()).expect("known");
        let frame = thief.frame(&Message::State(state(3))).expect("greeted");
        b.greeted(&thief.hello(), &keys()).expect("claims to be a");
        assert_eq!(b.read(&frame, &keys()), Err(Broken::Forged));
    }

    #[test]
    fn nothing_is_believed_twice_or_on_another_connection() {
        let (mut a, mut b) = pair();
        let frame = a.frame(&Message::State(state(3))).expect("greeted");
        assert!(b.read(&frame, &keys()).is_ok());
        assert_eq!(b.read(&frame, &keys()), Err(Broken::Forged));
        let mut later = Session::new("b".into(), key(2), [77; 16]);
        later.greeted(&a.hello(), &keys()).expect("known");
        assert_eq!(later.read(&frame, &keys()), Err(Broken::Forged));
        // Nor does it come back to who said it.
        assert_eq!(a.read(&frame, &keys()), Err(Broken::Forged));
    }

    #[test]
    fn a_forged_entry_in_an_honest_frame_is_left_out() {
        let (mut a, mut b) = pair();
        let frame = a.frame(&Message::Told(state(4), vec![fact(2), fact(1)])).expect("greeted");
        assert_eq!(b.read(&frame, &keys()), Ok(Message::Told(state(4), vec![fact(1)])));
    }

    proptest! {
        #[test]
        fn no_bytes_are_believed_and_none_does_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..2_000, flip in 1u8..=255) {
            let (mut a, mut b) = pair();
            prop_assert!(b.read(&bytes, &keys()).is_err());
            prop_assert!(b.greeted(&bytes, &keys()).is_err());
            let (_, mut b) = pair();
            let mut frame = a.frame(&Message::Told(state(4), vec![fact(1)])).expect("greeted");
            let at = at % frame.len();
            frame[at] ^= flip;
            // One that still reads as the same JSON (a changed space would) says the same.
            if let Ok(message) = b.read(&frame, &keys()) {
                prop_assert_eq!(message, Message::Told(state(4), vec![fact(1)]));
            }
        }
    }
}
