//! How kiosks find each other: DNS-SD on the local network (mDNS). It tells an id and a port; whoever answers there has
//! still to prove who it is.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use mdns_sd::{Receiver, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};

const SERVICE: &str = "_turnout._tcp.local.";
const KIOSK: &str = "kiosk";

/// A voice and an ear on the local network.
pub(crate) struct Beacon {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
}

/// A kiosk that was heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) kiosk: String,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Beacon {
    /// Listens, and says where `me` is found, if it is.
    pub(crate) fn light(me: &str, at: Option<SocketAddr>) -> mdns_sd::Result<Self> {
        let daemon = ServiceDaemon::new()?;
        if let Some(at) = at {
            let host = format!("turnout-{me}.local.");
            let properties = [(KIOSK, me)];
            let addresses: &[IpAddr] = if at.ip().is_unspecified() { &[] } else { &[at.ip()] };
            let mut info =
                ServiceInfo::new(SERVICE, me, &host, addresses, at.port(), &properties[..])?;
            if at.ip().is_unspecified() {
                info = info.enable_addr_auto();
            }
            // Its name is a UUID: nobody else has it.
            info.set_requires_probe(false);
            daemon.register(info)?;
        }
        let events = daemon.browse(SERVICE)?;
        Ok(Self { daemon, events })
    }

    /// Waits for the next kiosk that is heard of. None when there will be none.
    pub(crate) async fn next(&self) -> Option<Sighting> {
        loop {
            let ServiceEvent::ServiceResolved(found) = self.events.recv_async().await.ok()? else {
                continue;
            };
            let Some(kiosk) = found.get_property_val_str(KIOSK) else { continue };
            let port = found.get_port();
            let mut addresses: Vec<SocketAddr> =
                found.get_addresses().iter().map(|ip| reached(ip, port)).collect();
            // The shorter ones first. A name and a few addresses; more is nobody's.
            addresses.sort_unstable();
            addresses.truncate(8);
            return Some(Sighting { kiosk: kiosk.to_owned(), addresses });
        }
    }
}

/// Where a port of that address is reached. One that a link gave itself without any router (IPv6) holds on that link alone.
fn reached(ip: &ScopedIp, port: u16) -> SocketAddr {
    match ip {
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.addr(), port, 0, v6.scope_id().index).into()
        }
        other => SocketAddr::new(other.to_ip_addr(), port),
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        // Says good-bye on the network; without it the others find out by themselves.
        drop(self.daemon.shutdown());
    }
}

/// Which kiosks are heard of on this network within `patience`.
pub(crate) async fn look_around(me: &str, patience: Duration) -> BTreeMap<String, Vec<SocketAddr>> {
    let mut seen = BTreeMap::new();
    let Ok(beacon) = Beacon::light(me, None) else { return seen };
    let looking = async {
        while let Some(Sighting { kiosk, addresses }) = beacon.next().await {
            seen.insert(kiosk, addresses);
        }
    };
    // Until the time is over; nobody says when that was all.
    drop(tokio::time::timeout(patience, looking).await);
    seen
}
