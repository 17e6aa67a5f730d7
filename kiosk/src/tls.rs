//! The way to an https server, for a machine that may have forgotten what time it is.
//!
//! A certificate is valid from a day on, and a clock without a battery begins before that day. So the time by which
//! certificates are looked at is never before what is certainly past: this program was written, and this kiosk heard its
//! server. Nothing else is made easier: who signed it, for which name, and until when, is looked at as ever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use admission::{Clock, Millis};
use rustls::{
    ClientConfig, RootCertStore, crypto, pki_types::UnixTime, time_provider::TimeProvider,
};

use crate::api::Failure;

/// No kiosk ran this program before: 26 November 2026.
const WRITTEN: Millis = Millis(1_795_680_000_000);

/// The time by which certificates are looked at: the clock's, but never before what is certainly past.
#[derive(Clone)]
pub(crate) struct NotBefore {
    clock: Arc<dyn Clock>,
    past: Arc<AtomicI64>,
}

impl NotBefore {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, past: Arc::new(AtomicI64::new(WRITTEN.0)) }
    }

    /// That moment is past.
    pub(crate) fn is_past(&self, moment: Millis) {
        self.past.fetch_max(moment.0, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for NotBefore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NotBefore").field(&self.past).finish()
    }
}

impl TimeProvider for NotBefore {
    fn current_time(&self) -> Option<UnixTime> {
        let now = self.clock.now().0.max(self.past.load(Ordering::Relaxed));
        let now = Duration::from_millis(u64::try_from(now).ok()?);
        Some(UnixTime::since_unix_epoch(now))
    }
}

/// What a client trusts: the system's certificates, looked at by `time`.
pub(crate) fn trusting_the_system(time: NotBefore) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    // Some of a system's certificates are older than anybody can read.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    trusting(roots, time)
}

fn trusting(roots: RootCertStore, time: NotBefore) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(time))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Unreachable(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use admission::time::DAY;
    use data_encoding::BASE64;
    use rustls::{
        ClientConnection, ServerConfig, ServerConnection,
        pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    };

    use super::*;

    // Made for this test: a root, and a certificate of turnout.example with its key, good for 90 days from `FROM` on.
    const ROOT: &str = "MIIBfTCCASKgAwIBAgIUa1k5e0SiM1P6U5/yGL7SlKbgDDUwCgYIKoZIzj0EAwIwHDEaMBgGA1UEAwwRVHVybm91dCB0ZXN0IHJvb3QwHhcNMjYxMTI2MTc1NTQ3WhcNNDYxMTIxMTc1NTQ3WjAcMRowGAYDVQQDDBFUdXJub3V0IHRlc3Qgcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBivjxJx8c/JMMD/bw8r5ZSCr96zxy39svXxfQ+o3awRFaqNyp2B/sCFNg8NMhssR8T3kHeWvl0XKixDzeEORbWjQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMB0GA1UdDgQWBBQHoMopxq40buPORvkQZUh+wSLc8zAKBggqhkjOPQQDAgNJADBGAiEA/mCB1VLQeAHyIiKVPMaBERXr00GAjQw2eo5ym3KYSTICIQCH/JCQ+IUDf4FfiOOpZMPgTuDfaQe8mnMJxfxNSx8KiQ==";
    const LEAF: &str = "MIIBuTCCAWCgAwIBAgIUVrgv9Kxe6+NuzYis4dhV9aqaEeEwCgYIKoZIzj0EAwIwHDEaMBgGA1UEAwwRVHVybm91dCB0ZXN0IHJvb3QwHhcNMjYxMTI2MTc1NTQ4WhcNMjcwMjI0MTc1NTQ4WjAaMRgwFgYDVQQDDA90dXJub3V0LmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT+jv3EGUsXuPszWojDmp4w52DxUvUQ3znWgiETlCAvTay2rJH1c6pB3Z0by6nTUxGrMmfGO/wEFUTTztXiAJAFo4GBMH8wGgYDVR0RBBMwEYIPdHVybm91dC5leGFtcGxlMBMGA1UdJQQMMAoGCCsGAQUFBwMBMAwGA1UdEwEB/wQCMAAwHQYDVR0OBBYEFGGScCJuX7TO4OzofqKttVO6l0SMMB8GA1UdIwQYMBaAFAegyinGrjRu485G+RBlSH7BItzzMAoGCCqGSM49BAMCA0cAMEQCIE1Amile6Gz5IoW7AYhqjOFKYwWwFdij0WB56TuyogprAiBcohId+UKKxJNWXq/njqwQBbS00aYdkgFLOs+LZ8diWw==";
    const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6ZweFroL5EWgo2oDoHs6UP55yyZ/qKboB8p2857izi2hRANCAAT+jv3EGUsXuPszWojDmp4w52DxUvUQ3znWgiETlCAvTay2rJH1c6pB3Z0by6nTUxGrMmfGO/wEFUTTztXiAJAF";
    const FROM: Millis = Millis(1_795_715_748_000);

    struct At(Mutex<Millis>);

    impl Clock for At {
        fn now(&self) -> Millis {
            *self.0.lock().expect("no panic holds it")
        }
    }

    fn der(text: &str) -> Vec<u8> {
        BASE64.decode(text.as_bytes()).expect("base64")
    }

    /// Whether a client that trusts `root` shakes hands with turnout.example when its clock shows `clock` and `past` is past.
    fn shakes_hands(root: bool, clock: Millis, past: Millis, name: &str) -> Result<(), String> {
        let time = NotBefore::new(Arc::new(At(Mutex::new(clock))));
        time.is_past(past);
        let mut roots = RootCertStore::empty();
        if root {
            roots.add(CertificateDer::from(der(ROOT))).expect("a root");
        }
        let config = trusting(roots, time).map_err(|error| error.to_string())?;
        let name = name.to_owned().try_into().expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let provider = Arc::new(crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(der(LEAF))],
                PrivatePkcs8KeyDer::from(der(KEY)).into(),
            )
            .expect("a certificate");
        let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
        while client.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).expect("memory");
            }
            carry(&wire, |bytes| server.read_tls(bytes));
            server.process_new_packets().map_err(|error| error.to_string())?;
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).expect("memory");
            }
            carry(&wire, |bytes| client.read_tls(bytes));
            client.process_new_packets().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn carry(mut wire: &[u8], mut to: impl FnMut(&mut dyn io::Read) -> io::Result<usize>) {
        while !wire.is_empty() {
            to(&mut wire).expect("memory");
        }
    }

    #[test]
    fn a_machine_that_has_forgotten_the_time_is_heard_by_what_it_knows_to_be_past() {
        let (name, begin) = ("turnout.example", Millis(20_000));
        assert_eq!(shakes_hands(true, begin, FROM.plus(DAY), name), Ok(()));
        assert_eq!(shakes_hands(true, FROM.plus(DAY), begin, name), Ok(()), "its clock is right");
        let early = shakes_hands(true, begin, FROM.plus(-DAY), name);
        assert!(early.is_err_and(|why| why.contains("not valid yet")), "nobody knows that it is");
    }

    #[test]
    fn nothing_else_is_made_easier() {
        let (name, day) = ("turnout.example", FROM.plus(DAY));
        for (root, clock, past, name) in [
            (false, day, day, name),
            (true, day, day, "elsewhere.example"),
            (true, FROM.plus(91 * DAY), day, name),
            (true, Millis(20_000), FROM.plus(91 * DAY), name),
        ] {
            let shaken = shakes_hands(root, clock, past, name);
            assert!(shaken.is_err(), "{root} {clock:?} {past:?} {name}");
        }
    }
}
