//! A DNS server that knows one name.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::thread;

const A: u16 = 1;
const NO_SUCH_NAME: u8 = 3;

/// What was asked, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Answers on port 53 of the loopback interface that `name` is 127.0.0.1, and that there is no other.
pub(crate) fn serve(name: &'static str) -> Asked {
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    let asked = Asked::default();
    let seen = asked.clone();
    thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((size, peer)) = socket.recv_from(&mut packet) {
            if let Some(question) = Question::read(&packet[..size]) {
                seen.0.lock().unwrap().push(question.name.clone());
                let _ = socket.send_to(&question.answer(name), peer);
            }
        }
    });
    asked
}

struct Question {
    id: [u8; 2],
    name: String,
    kind: u16,
    /// Name, kind and class, as they came.
    bytes: Vec<u8>,
}

impl Question {
    fn read(packet: &[u8]) -> Option<Self> {
        let (head, rest) = packet.split_at_checked(12)?;
        let (mut labels, mut at) = (Vec::new(), 0);
        loop {
            let length = usize::from(*rest.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(rest.get(at..at + length)?).into_owned());
            at += length;
        }
        let kind = u16::from_be_bytes(rest.get(at..at + 2)?.try_into().ok()?);
        Some(Self { id: head[..2].try_into().ok()?, name: labels.join("."), kind, bytes: rest.get(..at + 4)?.to_vec() })
    }

    fn answer(&self, known: &str) -> Vec<u8> {
        let found = self.name == known;
        let answers = u8::from(found && self.kind == A);
        // A response that this server answers for by itself, recursion included.
        let flags = [0x85, 0x80 | if found { 0 } else { NO_SUCH_NAME }];
        let counts = [0, 1, 0, answers, 0, 0, 0, 0];
        let mut packet = [&self.id[..], &flags, &counts, &self.bytes].concat();
        if answers == 1 {
            // The question's name, A, IN, a minute, four bytes.
            packet.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
        }
        packet
    }
}
