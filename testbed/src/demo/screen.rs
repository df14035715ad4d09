//! The terminal: lines that stay, and below them a table that is redrawn in place; without a terminal, lines only.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
};

/// How a piece of text looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Green,
    Red,
    Yellow,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Red => "31",
            Self::Yellow => "33",
        }
    }
}

/// Standard output.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: bool,
    colour: bool,
    drawn: Vec<String>,
}

impl Screen {
    pub(super) fn new() -> Self {
        let dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        let terminal = io::stdout().is_terminal() && !dumb;
        let no_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { terminal, colour: terminal && !no_colour, drawn: Vec::new() }
    }

    /// Whether a table can be redrawn in place.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    pub(super) fn paint(&self, paint: Paint, text: &str) -> String {
        if self.colour && paint != Paint::Plain {
            format!("\x1b[{}m{text}\x1b[0m", paint.code())
        } else {
            text.to_owned()
        }
    }

    /// A line that stays, above the table that is being redrawn.
    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        let table = std::mem::take(&mut self.drawn);
        let mut text = up(table.len());
        push_line(&mut text, line, self.terminal);
        push_table(&mut text, &table);
        self.drawn = table;
        write(&text)
    }

    /// The title of a part.
    pub(super) fn heading(&mut self, title: &str) -> io::Result<()> {
        self.say("")?;
        self.say(&self.paint(Paint::Bold, title))
    }

    /// Draws the table over the one drawn before. On a terminal only.
    pub(super) fn draw(&mut self, table: Vec<String>) -> io::Result<()> {
        if !self.terminal || table == self.drawn {
            return Ok(());
        }
        let mut text = up(self.drawn.len());
        push_table(&mut text, &table);
        text.push_str("\x1b[J");
        self.drawn = table;
        write(&text)
    }

    /// On a terminal: a line that goes again, while something takes its time.
    pub(super) fn meanwhile(&mut self, line: &str) -> io::Result<()> {
        self.draw(vec![self.paint(Paint::Dim, line)])
    }

    /// Takes away what was drawn.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.draw(Vec::new())
    }

    /// Lets the table stay as it is; what comes next goes below it.
    pub(super) fn leave_table(&mut self) {
        self.drawn.clear();
    }
}

fn up(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\r\x1b[{lines}A") }
}

/// Cut off at the edge, not wrapped: a wrapped line would count twice on the way up.
fn push_table(text: &mut String, table: &[String]) {
    if table.is_empty() {
        return;
    }
    text.push_str("\x1b[?7l");
    for line in table {
        push_line(text, line, true);
    }
    text.push_str("\x1b[?7h");
}

fn push_line(text: &mut String, line: &str, terminal: bool) {
    text.push_str(line);
    text.push_str(if terminal { "\x1b[K\n" } else { "\n" });
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
