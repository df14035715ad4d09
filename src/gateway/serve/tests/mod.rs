//! On real sockets. A limit under test is some milliseconds, all others are hours, and a test waits for seconds: it
//! fails where its limit is not kept.

mod ends;
mod harness;
mod limits;
mod logs;
mod tls;
