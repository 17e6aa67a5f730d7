//! A local network of machines in network namespaces: what is sent between them can be lost, slowed or cut.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
};

use tokio::process;

static NETWORKS: AtomicU8 = AtomicU8::new(0);

/// A bridge, and machines on it. This program is on it too, as the first.
pub(crate) struct Network {
    name: String,
    prefix: String,
    machines: u8,
}

/// One machine: a network namespace, or this one.
#[derive(Clone)]
pub(crate) struct Machine {
    namespace: Option<String>,
    pub(crate) address: String,
}

impl Network {
    /// A network, where namespaces are permitted: as root. Whoever is root and has none has a broken test, not an excuse.
    pub(crate) fn new() -> Option<Self> {
        let root = Command::new("id").arg("-u").output().expect("id runs").stdout == b"0\n";
        if !root {
            eprintln!(
                "NOT TESTED: network namespaces need root; only the loopback tests of the mesh ran"
            );
            return None;
        }
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let name = format!("tn{}n{number}", std::process::id());
        // 10.64.0.0/10 is cut in pieces by process and number, so that two runs at once do not meet.
        let piece = (std::process::id() * 4 + u32::from(number)) % (64 * 256);
        let prefix = format!("10.{}.{}", 64 + piece / 256, piece % 256);
        let network = Self { name, prefix, machines: 1 };
        let card = network.here().card();
        ip(&["link", "add", &network.name, "address", &card, "type", "bridge"]);
        ip(&["addr", "add", &format!("{}/24", network.here().address), "dev", &network.name]);
        ip(&["link", "set", &network.name, "up"]);
        Some(network)
    }

    /// This program's place on it.
    pub(crate) fn here(&self) -> Machine {
        Machine { namespace: None, address: format!("{}.1", self.prefix) }
    }

    /// One more machine.
    pub(crate) fn machine(&mut self) -> Machine {
        self.machines += 1;
        let namespace = format!("{}m{}", self.name, self.machines);
        let address = format!("{}.{}", self.prefix, self.machines);
        let (out, inside) = (self.link(self.machines), format!("{}i", self.link(self.machines)));
        ip(&["netns", "add", &namespace]);
        ip(&["link", "add", &out, "type", "veth", "peer", "name", &inside]);
        ip(&["link", "set", &inside, "netns", &namespace]);
        ip(&["link", "set", &out, "master", &self.name, "up"]);
        let machine = Machine { namespace: Some(namespace), address };
        machine.run("ip", &["link", "set", &inside, "address", &machine.card()]);
        machine.run("ip", &["link", "set", "lo", "up"]);
        machine.run("ip", &["addr", "add", &format!("{}/24", machine.address), "dev", &inside]);
        machine.run("ip", &["link", "set", &inside, "up"]);
        machine.run("ip", &["route", "add", "224.0.0.0/4", "dev", &inside]);
        machine
    }

    /// No longer than a link's name may be.
    fn link(&self, machine: u8) -> String {
        format!("{}v{machine}", self.name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in 2..=self.machines {
            quietly(&["netns", "del", &format!("{}m{machine}", self.name)]);
            quietly(&["link", "del", &self.link(machine)]);
        }
        quietly(&["link", "del", &self.name]);
    }
}

impl Machine {
    /// This one, without a network of its own.
    pub(crate) fn this() -> Self {
        Self { namespace: None, address: "127.0.0.1".to_owned() }
    }

    /// A program on it.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> process::Command {
        match &self.namespace {
            None => process::Command::new(program.as_ref()),
            Some(namespace) => {
                let mut command = process::Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(program.as_ref());
                command
            }
        }
    }

    /// Of each hundred packets that arrive here from others about so many are lost.
    pub(crate) fn loses(&self, of_hundred: u8) {
        self.rule(&format!("iifname != lo numgen random mod 100 < {of_hundred} drop"));
    }

    /// Hears nothing from `other`, whichever of its addresses that speaks from (each has one of IPv6 too, which it gave itself).
    pub(crate) fn deaf_to(&self, other: &Self) {
        self.rule(&format!("ether saddr {} drop", other.card()));
    }

    /// The address of its network card.
    fn card(&self) -> String {
        let address: std::net::Ipv4Addr = self.address.parse().expect("an address");
        let [a, b, c, d] = address.octets();
        format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
    }

    /// Has no address left but the one that its link gave itself.
    pub(crate) fn forgets_its_address(&self) {
        let device = self.device();
        self.run("ip", &["-4", "addr", "flush", "dev", &device]);
    }

    /// Everything arrives again.
    pub(crate) fn hears_all(&self) {
        self.run("nft", &["flush", "ruleset"]);
    }

    /// Takes in no more than so many kilobits a second, each late by as long as that takes.
    pub(crate) fn slow(&self, kilobits: u32) {
        let (rate, device) = (format!("{kilobits}kbit"), self.device());
        let shape = [
            "qdisc", "add", "dev", &device, "root", "tbf", "rate", &rate, "burst", "4kb",
            "latency", "2s",
        ];
        self.run("tc", &shape);
    }

    fn device(&self) -> String {
        let name = self.namespace.as_deref().and_then(|name| name.rsplit_once('m'));
        let (network, machine) = name.expect("a machine of its own");
        format!("{network}v{machine}i")
    }

    fn rule(&self, rule: &str) {
        let table = "add table inet turnout; add chain inet turnout in { type filter hook input priority 0; };";
        self.run("nft", &[&format!("{table} add rule inet turnout in {rule}")]);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let namespace = self.namespace.as_deref().expect("rules are for machines of their own");
        ip(&[&["netns", "exec", namespace, program], arguments].concat());
    }
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().expect("ip runs (scripts/needs)");
    assert!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn quietly(arguments: &[&str]) {
    // What is gone already need not be deleted.
    drop(Command::new("ip").args(arguments).stderr(Stdio::null()).status());
}
