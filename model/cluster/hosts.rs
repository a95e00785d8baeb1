//! Where the processes are.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::Path;

/// The address of each process, by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

/// What is wrong with a list of hosts.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HostsError {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It has too few addresses.
    #[error("{0}: one address a line is needed, of two processes or more")]
    Few(String),
    /// An address without a port.
    #[error("{file}:{line}: \"{address}\" is no HOST:PORT")]
    NoPort {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is there.
        address: String,
    },
    /// Two processes at one address.
    #[error("{file}:{line}: process {first} has the address {address} already")]
    Twice {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// Who has it.
        first: usize,
        /// The address.
        address: String,
    },
}

impl Hosts {
    /// Reads a file: a line for each process, `HOST:PORT`. Empty lines and those that begin with `#` are left out.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(file: &Path) -> Result<Self, HostsError> {
        let name = file.display().to_string();
        let text =
            fs::read_to_string(file).map_err(|error| HostsError::Unreadable(format!("{name}: {error}")))?;
        Hosts::parse(&name, &text)
    }

    /// The same of a text. `file` is for messages.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, HostsError> {
        let mut all: Vec<String> = Vec::new();
        for (line, address) in text.lines().enumerate().map(|(line, text)| (line + 1, text.trim())) {
            if address.is_empty() || address.starts_with('#') {
                continue;
            }
            let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            let (file, address) = (file.to_owned(), address.to_owned());
            // Timely takes words apart: each is an address of its own to it.
            let one_word = !address.contains(char::is_whitespace);
            if !one_word || port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none() {
                return Err(HostsError::NoPort { file, line, address });
            }
            if let Some(first) = all.iter().position(|other| *other == address) {
                return Err(HostsError::Twice { file, line, first, address });
            }
            all.push(address);
        }
        if all.len() < 2 { Err(HostsError::Few(file.to_owned())) } else { Ok(Hosts(all)) }
    }

    /// So many processes on this machine, at ports that are free now.
    ///
    /// # Errors
    ///
    /// If there are no free ports.
    pub fn here(count: usize) -> io::Result<Self> {
        // All are bound at once, so that they differ.
        let bound: Vec<TcpListener> =
            (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<io::Result<_>>()?;
        let address = |socket: &TcpListener| Ok(socket.local_addr()?.to_string());
        Ok(Hosts(bound.iter().map(address).collect::<io::Result<_>>()?))
    }

    /// How many processes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The address of each.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        Hosts::parse("hosts", text).expect_err("it is wrong").to_string()
    }

    #[test]
    fn a_line_a_process() {
        let hosts = Hosts::parse("hosts", "# two machines\na:2101\n\n [::1]:2102 \n").expect("it is right");
        assert_eq!(hosts.addresses(), ["a:2101", "[::1]:2102"]);
    }

    #[test]
    fn mistakes_have_a_place() {
        assert_eq!(wrong("a:1\nb\n"), "hosts:2: \"b\" is no HOST:PORT");
        assert_eq!(wrong("a:1\nb:70000\n"), "hosts:2: \"b:70000\" is no HOST:PORT");
        assert_eq!(wrong("a:1 b:2\nc:3\n"), "hosts:1: \"a:1 b:2\" is no HOST:PORT");
        assert_eq!(wrong("a:1\n#\na:1\n"), "hosts:3: process 0 has the address a:1 already");
        assert_eq!(wrong("a:1\n"), "hosts: one address a line is needed, of two processes or more");
    }

    #[test]
    fn free_ports_differ() {
        let hosts = Hosts::here(4).expect("there are free ports");
        let text = hosts.addresses().join("\n");
        assert_eq!(Hosts::parse("hosts", &text), Ok(hosts));
    }
}
