//! Settings and their defaults. Each is a flag and an environment variable `TURNOUT_…`.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use clap::{Args, builder::FalseyValueParser};

use crate::db::{self, Db};

/// Where the data is.
#[derive(Args, Clone, Debug)]
pub struct Storage {
    /// `sqlite://FILE` or `postgres://…`; by default the file turnout.db in the data folder.
    #[arg(long, env = "TURNOUT_DATABASE")]
    pub database: Option<String>,
    /// Folder for keys and, with SQLite, the database.
    #[arg(long, env = "TURNOUT_DATA", default_value = ".")]
    pub data: PathBuf,
}

impl Storage {
    /// The database's address.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database
            .clone()
            .unwrap_or_else(|| format!("sqlite://{}", self.data.join("turnout.db").display()))
    }

    /// Opens the database; makes folder and file when there are none.
    ///
    /// # Errors
    /// When the folder cannot be made or the database cannot be opened.
    pub async fn open(&self) -> anyhow::Result<Db> {
        fs::create_dir_all(&self.data)
            .with_context(|| format!("cannot make the folder {}", self.data.display()))?;
        Db::open(&self.database_url()).await
    }

    /// Opens the database that is there already: whoever names the wrong folder is told so, and does not back up nothing.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub async fn open_existing(&self) -> anyhow::Result<Db> {
        let url = self.database_url();
        if let Some(file) = db::file_of(&url)? {
            anyhow::ensure!(
                file.exists(),
                "这里没有数据库：{0}。请用 --data 或 --database 写明在哪里。 There is no database at {0}: say where it is with --data or --database",
                file.display()
            );
        }
        Db::open(&url).await
    }
}

/// How the server runs.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// Where the data is.
    #[command(flatten)]
    pub storage: Storage,
    /// Address to listen on.
    #[arg(long, env = "TURNOUT_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The address people reach it by; with https, cookies are marked Secure.
    #[arg(long, env = "TURNOUT_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// A reverse proxy stands in front and sets X-Forwarded-For.
    #[arg(long, env = "TURNOUT_BEHIND_PROXY", value_parser = FalseyValueParser::new())]
    pub behind_proxy: bool,
    /// How short messages leave.
    #[command(flatten)]
    pub sms: Sms,
    /// Issuer numbers (first six digits) of union cards, separated by commas.
    #[arg(long, env = "TURNOUT_CARD_BINS", value_delimiter = ',', default_values = DEFAULT_BINS)]
    pub card_bins: Vec<String>,
}

impl Serve {
    /// The address people reach it by, without a slash at its end.
    #[must_use]
    pub fn public_url(&self) -> String {
        let url = self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen));
        url.trim_end_matches('/').to_owned()
    }
}

/// Debit-card issuer numbers of the Bank of Beijing, which issues the 京卡 (domain.md §1.1).
pub const DEFAULT_BINS: [&str; 8] =
    ["602969", "621030", "621420", "621468", "623111", "421317", "422160", "422161"];

/// How short messages leave: printed to the console, or posted to a gateway.
#[derive(Args, Clone, Debug, Default)]
pub struct Sms {
    /// Address of the SMS gateway: it gets `POST {"phone","text"}`. Without it, messages stay in the outbox.
    #[arg(long, env = "TURNOUT_SMS_GATEWAY")]
    pub sms_gateway: Option<String>,
    /// Bearer token for the gateway.
    #[arg(long, env = "TURNOUT_SMS_TOKEN", hide_env_values = true)]
    pub sms_token: Option<String>,
}
