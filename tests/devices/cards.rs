//! Chip cards: a real `pcscd`, the virtual reader of vsmartcard, and cards that this file plays.

use std::{
    path::Path,
    process::{Command as Blocking, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use super::Venue;
use crate::end_to_end::cards_by_phone;

/// A card that nothing is shown of by then was not seen.
const SEEN_BY: Duration = Duration::from_secs(10);
const DEBIT: [u8; 8] = [0xA0, 0, 0, 3, 0x33, 1, 1, 1];

/// The card service with one virtual reader.
struct Service {
    process: Child,
    port: u16,
}

impl Service {
    /// Starts it, with its reader's list in `folder`.
    async fn start(folder: &Path) -> Self {
        // Below those that the system gives to others: it is free from here until the driver takes it.
        let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = (20_000..30_000).find(is_free).expect("a port");
        let list = folder.join("readers");
        std::fs::create_dir_all(&list).expect("folder");
        let driver = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
        assert!(Path::new(driver).exists(), "the tests need vsmartcard-vpcd: scripts/needs");
        let reader = format!(
            "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x{port:X}\nLIBPATH {driver}\nCHANNELID 0x{port:X}\n"
        );
        std::fs::write(list.join("vpcd"), reader).expect("written");
        std::fs::create_dir_all("/run/pcscd").expect("as root");
        let process = Command::new("pcscd")
            .args(["--foreground", "--critical", "--config"])
            .arg(&list)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the tests need pcscd: scripts/needs");
        Self { process, port }
    }

    async fn stop(mut self) {
        let id = self.process.id().expect("running").to_string();
        assert!(Blocking::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        self.process.wait().await.expect("it ends");
    }

    /// Lays a card on the reader.
    async fn lay(&self, card: Card) -> Laid {
        let connecting = async {
            loop {
                match TcpStream::connect(("127.0.0.1", self.port)).await {
                    Ok(reader) => return reader,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        let reader =
            timeout(Duration::from_secs(30), connecting).await.expect("the reader is there");
        reader.set_nodelay(true).expect("a socket");
        Laid(tokio::spawn(card.lie(reader)))
    }

    /// Lays a card on the reader, takes it away and gives what was shown. The service looks at the reader a few times a
    /// second, and may miss a card that was laid down in the moment in which the last one went: like anybody, who sees
    /// nothing happen lays it down again.
    async fn shows(&self, venue: &mut Venue, card: Card) -> Value {
        for _ in 0..2 {
            let _laid = self.lay(card.clone()).await;
            if let Ok(shown) = timeout(SEEN_BY, venue.screen.shows()).await {
                return shown;
            }
        }
        let _laid = self.lay(card).await;
        venue.screen.shows().await
    }
}

/// A card on the reader. Dropping it takes it away.
struct Laid(JoinHandle<()>);

impl Drop for Laid {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A card as its chip answers.
#[derive(Clone)]
struct Card {
    /// Its number; none for a card that is no bank card.
    number: Option<String>,
    /// It is taken away when it is asked what it can do.
    pulled: bool,
}

impl Card {
    fn of(number: &str) -> Self {
        Self { number: Some(number.to_owned()), pulled: false }
    }

    /// Speaks with the reader: a length of two bytes, then an order of one byte or a command.
    async fn lie(self, mut reader: TcpStream) {
        while let Ok(length) = reader.read_u16().await {
            let mut command = vec![0; length.into()];
            if reader.read_exact(&mut command).await.is_err() {
                return;
            }
            let answer = match command[..] {
                // Power off, on, reset.
                [0..=2] => continue,
                // A contactless card's answer to reset (PC/SC part 3), without history.
                [4] => vec![0x3B, 0x80, 0x80, 0x01, 0x01],
                _ if self.pulled && command[1] == 0xA8 => return,
                _ => self.answer(&command),
            };
            let answer = [&(answer.len() as u16).to_be_bytes()[..], &answer].concat();
            if reader.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, command: &[u8]) -> Vec<u8> {
        let Some(number) = &self.number else { return vec![0x6A, 0x82] };
        let data = match command {
            [0, 0xA4, 4, 0, 14, name @ .., 0] if name == b"2PAY.SYS.DDF01" => tlv(
                0x6F,
                &tlv(0xA5, &[&[0xBF, 0x0C, 12][..], &tlv(0x61, &tlv(0x4F, &DEBIT))].concat()),
            ),
            // It asks for the terminal's qualifiers and the amount: ten bytes.
            [0, 0xA4, 4, 0, 8, id @ .., 0] if id == DEBIT => {
                tlv(0x6F, &tlv(0xA5, &[0x9F, 0x38, 6, 0x9F, 0x66, 4, 0x9F, 0x02, 6]))
            }
            [0x80, 0xA8, 0, 0, 12, 0x83, 10, zeros @ .., 0] if *zeros == [0; 10] => {
                tlv(0x77, &[&[0x82, 2, 0x7C, 0][..], &tlv(0x94, &[2 << 3, 1, 1, 0])].concat())
            }
            [0, 0xB2, 1, 0x14, 0] => {
                let track = format!("{number}D301222000000F");
                let halves: Vec<u8> =
                    track.chars().map(|c| c.to_digit(16).expect("half a byte") as u8).collect();
                let bytes: Vec<u8> = halves.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
                tlv(0x70, &tlv(0x57, &bytes))
            }
            // Nothing else is to be asked: no PIN, no cryptogram, no log.
            [0, 0xA4 | 0xB2, ..] | [0x80, 0xA8, ..] => return vec![0x6A, 0x82],
            other => panic!("the kiosk said {other:02X?}"),
        };
        [&data[..], &[0x90, 0x00]].concat()
    }
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag, value.len() as u8], value].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chip_card_lets_its_holder_in_and_everything_else_says_what_to_do() {
    let mut venue = Venue::open(&["--scanner", "pcsc:virtual"]).await;
    let numbers = cards_by_phone();
    let number = |venue: &Venue, n: usize| {
        numbers[venue.member(n)["phone"].as_str().expect("a phone")].clone()
    };

    // No service yet, then one with a reader.
    venue.screen.device("pcsc:virtual", "no_service").await;
    let readers = tempfile::TempDir::new().expect("temporary folder");
    let service = Service::start(readers.path()).await;
    venue.screen.device("pcsc:virtual", "connected").await;

    venue.ticket(1).await;
    let card = Card::of(&number(&venue, 1));
    assert_eq!(service.shows(&mut venue, card).await["zh"]["headline"], "请进");

    // Taken away in the middle of it.
    venue.ticket(2).await;
    let card = Card { pulled: true, ..Card::of(&number(&venue, 2)) };
    drop(service.lay(card).await.await_pulled().await);
    let shown = venue.screen.shows().await;
    assert_eq!((&shown["zh"]["headline"], &shown["scan"]), (&"请再刷一次".into(), &Value::Null));
    let card = Card::of(&number(&venue, 2));
    assert_eq!(service.shows(&mut venue, card).await["zh"]["headline"], "请进", "the second try");

    // A bank card that is no union card, and a card that is no bank card.
    let shown = service.shows(&mut venue, Card::of("6222020000000007")).await;
    assert_eq!(
        (&shown["look"], &shown["zh"]["headline"]),
        (&"refused".into(), &"不是京卡".into()),
        "{shown}"
    );
    let shown = service.shows(&mut venue, Card { number: None, pulled: false }).await;
    assert_eq!(
        (&shown["look"], &shown["zh"]["headline"]),
        (&"attention".into(), &"不是京卡".into()),
        "{shown}"
    );

    // The service is restarted.
    service.stop().await;
    venue.screen.device("pcsc:virtual", "no_service").await;
    let service = Service::start(readers.path()).await;
    venue.screen.device("pcsc:virtual", "connected").await;
    venue.ticket(3).await;
    let card = Card::of(&number(&venue, 3));
    assert_eq!(service.shows(&mut venue, card).await["zh"]["headline"], "请进");

    let numbers = [1, 2, 3].map(|n| number(&venue, n));
    let Venue { kiosk, folder, .. } = venue;
    assert!(kiosk.stop().await.success());
    for file in std::fs::read_dir(folder.path()).expect("a folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
        for number in &numbers {
            assert!(
                !bytes.windows(number.len()).any(|window| window == number.as_bytes()),
                "no card number on the disk"
            );
        }
    }
    service.stop().await;
}

impl Laid {
    /// Waits until the card has taken itself away.
    async fn await_pulled(mut self) -> Self {
        let gone = timeout(Duration::from_secs(30), &mut self.0).await;
        gone.expect("it was spoken to").expect("and did not panic");
        self
    }
}
