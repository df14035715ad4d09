//! Times at the edge: the text a user wrote becomes an instant, an instant becomes the text a status shows.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::Offset;

use super::rules;

/// Why a text is no time for a window. Each reads as the sentence of the schema's rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// More than [`rules::TIME_MAX_LENGTH`] characters.
    #[error("must be at most {} characters long", rules::TIME_MAX_LENGTH)]
    TooLong,
    /// No date and time at all.
    #[error("{}", rules::NOT_A_TIME)]
    Shape,
    /// Local time of an unknown place.
    #[error("{}", rules::NO_OFFSET)]
    NoOffset,
    /// A fraction other than zero.
    #[error("{}", rules::NOT_WHOLE_SECOND)]
    Fraction,
    /// Not in this century.
    #[error("{}", rules::YEAR_OUT_OF_RANGE)]
    Year,
    /// Such as 30 February.
    #[error("{}", rules::NO_SUCH_DAY)]
    Day,
    /// Such as 24:00:00.
    #[error("{}", rules::NO_SUCH_TIME_OF_DAY)]
    TimeOfDay,
    /// Such as +24:00.
    #[error("{}", rules::NO_SUCH_OFFSET)]
    Offset,
}

/// Reads a time of a spec. Accepts exactly what the schema accepts; the error is the first rule that is broken.
pub fn parse_instant(text: &str) -> Result<Timestamp, TimeError> {
    if text.chars().count() > rules::TIME_MAX_LENGTH {
        return Err(TimeError::TooLong);
    }
    Written::read(text).ok_or(TimeError::Shape)?.instant()
}

/// A text of the right shape, whatever its numbers mean.
struct Written<'a> {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    fraction: &'a str,
    offset: WrittenOffset,
}

enum WrittenOffset {
    Missing,
    Utc,
    Numbers { negative: bool, hours: i8, minutes: i8 },
}

impl<'a> Written<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (year, rest) = number(text, 4)?;
        let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
        let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
        let (hour, rest) = number(rest.strip_prefix('T')?, 2)?;
        let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
        let (second, rest) = number(rest.strip_prefix(':')?, 2)?;
        let (fraction, rest) = fraction(rest)?;
        Some(Self {
            year,
            month: i8::try_from(month).ok()?,
            day: i8::try_from(day).ok()?,
            hour: i8::try_from(hour).ok()?,
            minute: i8::try_from(minute).ok()?,
            second: i8::try_from(second).ok()?,
            fraction,
            offset: WrittenOffset::read(rest)?,
        })
    }

    fn instant(&self) -> Result<Timestamp, TimeError> {
        if matches!(self.offset, WrittenOffset::Missing) {
            return Err(TimeError::NoOffset);
        }
        if self.fraction.bytes().any(|digit| digit != b'0') {
            return Err(TimeError::Fraction);
        }
        if !(2000..=2099).contains(&self.year) {
            return Err(TimeError::Year);
        }
        let date = Date::new(self.year, self.month, self.day).map_err(|_| TimeError::Day)?;
        // jiff would read a leap second.
        if self.second > 59 {
            return Err(TimeError::TimeOfDay);
        }
        let time = Time::new(self.hour, self.minute, self.second, 0).map_err(|_| TimeError::TimeOfDay)?;
        let offset = self.offset.value().ok_or(TimeError::Offset)?;
        offset.to_timestamp(date.to_datetime(time)).map_err(|_| TimeError::Offset)
    }
}

impl WrittenOffset {
    /// What follows the time of day, up to the end of the text.
    fn read(text: &str) -> Option<Self> {
        match text {
            "" => return Some(Self::Missing),
            "Z" => return Some(Self::Utc),
            _ => {}
        }
        let negative = text.starts_with('-');
        let (hours, rest) = number(text.strip_prefix(['+', '-'])?, 2)?;
        let (minutes, rest) = number(rest.strip_prefix(':')?, 2)?;
        rest.is_empty().then_some(Self::Numbers {
            negative,
            hours: i8::try_from(hours).ok()?,
            minutes: i8::try_from(minutes).ok()?,
        })
    }

    fn value(&self) -> Option<Offset> {
        match *self {
            Self::Missing => None,
            Self::Utc => Some(Offset::UTC),
            Self::Numbers { hours, minutes, .. } if hours > 23 || minutes > 59 => None,
            Self::Numbers { negative, hours, minutes } => {
                let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
                Offset::from_seconds(if negative { -seconds } else { seconds }).ok()
            }
        }
    }
}

/// The first `digits` characters as a number, and the rest.
fn number(text: &str, digits: usize) -> Option<(i16, &str)> {
    let (head, rest) = text.split_at_checked(digits)?;
    let all_digits = head.bytes().all(|byte| byte.is_ascii_digit());
    Some((all_digits.then(|| head.parse().ok())??, rest))
}

/// The digits after a point, empty without one, and the rest.
fn fraction(text: &str) -> Option<(&str, &str)> {
    let Some(after) = text.strip_prefix('.') else {
        return Some(("", text));
    };
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| after.split_at(digits))
}

/// Reads a time that this operator wrote into a status: any RFC 3339 text, fractions and years past 2099 included.
/// `None` for an empty field, and for one that something else filled.
pub fn read_status(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// `2026-12-02T13:00:00Z`, cut to the second.
pub fn utc(instant: Timestamp) -> String {
    DateTimePrinter::new().precision(Some(0)).timestamp_to_string(&instant)
}

/// `2026-12-02T13:00:00.000123Z`, cut to the microsecond.
pub fn micros(instant: Timestamp) -> String {
    DateTimePrinter::new().precision(Some(6)).timestamp_to_string(&instant)
}

/// Seconds since 1970, as the Live API counts.
pub fn epoch_seconds(instant: Timestamp) -> i64 {
    instant.as_second()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::string::string_regex;

    use super::*;
    use crate::api::rules::{TimeRule, time_pattern, time_rules};

    fn parsed(text: &str) -> Result<i64, TimeError> {
        parse_instant(text).map(epoch_seconds)
    }

    #[test]
    fn one_instant_has_many_spellings() {
        for text in [
            "2026-12-02T13:00:00Z",
            "2026-12-02T14:00:00+01:00",
            "2026-12-02T14:00:00.000+01:00",
            "2026-12-02T13:00:00-00:00",
            "2026-12-01T13:01:00-23:59",
            "2026-12-03T12:59:00+23:59",
        ] {
            assert_eq!(parsed(text), Ok(1_796_216_400), "{text}");
        }
    }

    #[test]
    fn the_vendors_example_is_the_instant_it_sends() {
        assert_eq!(parsed("2021-04-02T17:55:00Z"), Ok(1_617_386_100));
        assert_eq!(parsed("2021-04-02T20:00:00Z"), Ok(1_617_393_600));
    }

    #[test]
    fn each_refusal_names_the_rule_that_is_broken() {
        for (text, error) in [
            ("", TimeError::Shape),
            ("soon", TimeError::Shape),
            ("1796216400", TimeError::Shape),
            ("2026-12-02", TimeError::Shape),
            ("2026-12-02T13:00Z", TimeError::Shape),
            ("2026-12-02 13:00:00Z", TimeError::Shape),
            ("2026-12-02t13:00:00z", TimeError::Shape),
            ("2026-12-02T13:00:00Z ", TimeError::Shape),
            ("2026-12-02T13:00:00Z\n", TimeError::Shape),
            ("2026-12-02T13:00:00+0100", TimeError::Shape),
            ("2026-12-02T13:00:00.Z", TimeError::Shape),
            ("+2026-12-02T13:00:00Z", TimeError::Shape),
            ("２０２６-12-02T13:00:00Z", TimeError::Shape),
            ("2026-12-02T13:00:00", TimeError::NoOffset),
            ("2026-12-02T13:00:00.5Z", TimeError::Fraction),
            ("1999-12-31T23:59:59Z", TimeError::Year),
            ("2100-01-01T00:00:00Z", TimeError::Year),
            ("2026-02-30T13:00:00Z", TimeError::Day),
            ("2026-00-10T13:00:00Z", TimeError::Day),
            ("2026-02-29T13:00:00Z", TimeError::Day),
            ("2026-12-02T24:00:00Z", TimeError::TimeOfDay),
            ("2026-12-31T23:59:60Z", TimeError::TimeOfDay),
            ("2026-12-02T13:00:00+24:00", TimeError::Offset),
            ("2026-12-02T13:00:00-00:60", TimeError::Offset),
            ("2026-12-02T13:00:00.00000000000000000000Z", TimeError::TooLong),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
    }

    #[test]
    fn every_day_that_is_written_is_in_the_calendar_or_refused() {
        let rule = rule_for(TimeError::Day);
        for (year, month, day) in
            (2000..=2099).flat_map(|y| (0..=13).flat_map(move |m| (0..=32).map(move |d| (y, m, d))))
        {
            let text = format!("{year}-{month:02}-{day:02}T00:00:00Z");
            assert_eq!(parse_instant(&text).is_ok(), matches(&rule.pattern, &text), "{text}");
        }
    }

    #[test]
    fn status_times_are_cut_to_their_grain_and_read_back() {
        let instant: Timestamp = "2026-12-02T13:00:00.000123987Z".parse().unwrap();
        assert_eq!(utc(instant), "2026-12-02T13:00:00Z");
        assert_eq!(micros(instant), "2026-12-02T13:00:00.000123Z");
        assert_eq!(micros(parse_instant("2026-12-02T13:00:00Z").unwrap()), "2026-12-02T13:00:00.000000Z");
        assert_eq!(read_status(&micros(instant)).unwrap().as_microsecond(), instant.as_microsecond());
        assert_eq!(read_status(""), None);
    }

    proptest! {
        #[test]
        fn what_the_schema_accepts_is_read(text in string_regex(&generator(&time_pattern())).unwrap()) {
            prop_assume!(text.len() <= rules::TIME_MAX_LENGTH);
            let instant = parse_instant(&text);
            prop_assert!(instant.is_ok(), "{text}: {instant:?}");
            let instant = instant.unwrap();
            prop_assert_eq!(read_status(&utc(instant)), Some(instant));
        }

        #[test]
        fn schema_and_parser_agree(text in nearly_a_time()) {
            let broken: Vec<_> =
                time_rules().into_iter().filter(|rule| is_broken(rule, &text)).map(|rule| rule.sentence).collect();
            let accepted = text.chars().count() <= rules::TIME_MAX_LENGTH && broken.is_empty();
            match parse_instant(&text) {
                Ok(_) => prop_assert!(accepted, "{text} breaks {broken:?}"),
                Err(TimeError::TooLong) => prop_assert!(!accepted),
                Err(error) => prop_assert!(broken.contains(&error.to_string().as_str()), "{text}: {error}; {broken:?}"),
            }
            prop_assert_eq!(broken.is_empty(), matches(&time_pattern(), &text), "guard and sentences, {}", text);
        }
    }

    /// Texts of the right shape with any numbers, some of them with one character changed, added or taken away.
    fn nearly_a_time() -> impl Strategy<Value = String> {
        let shape = "(19|20|20|20|21)[0-9]{2}-(0[0-9]|1[0-3])-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\
                     ([.](0{1,3}|[0-9]{1,24}))?(Z|[+-][0-2][0-9]:[0-6][0-9])?";
        let edit = (0..4_u8, any::<prop::sample::Index>(), "[-+.:0-9TZtz \n\u{e9}]");
        (string_regex(shape).unwrap(), edit).prop_map(|(mut text, (kind, at, with))| {
            let at = at.index(text.len());
            match kind {
                0 => text.replace_range(at..=at, &with),
                1 => text.insert_str(at, &with),
                2 => drop(text.remove(at)),
                _ => {}
            }
            text
        })
    }

    fn is_broken(rule: &TimeRule, text: &str) -> bool {
        (rule.pattern == rules::TIME_SHAPE || matches(rules::TIME_SHAPE, text)) && !matches(&rule.pattern, text)
    }

    fn rule_for(error: TimeError) -> TimeRule {
        time_rules().into_iter().find(|rule| rule.sentence == error.to_string()).unwrap()
    }

    /// proptest generates from patterns without anchors; a repetition without end would be cut off by the length.
    fn generator(pattern: &str) -> String {
        pattern.trim_start_matches('^').trim_end_matches('$').replace("0+", "0{1,15}")
    }

    /// Whether a pattern matches somewhere in a text: the part of RE2 that the rules use (characters, classes, groups,
    /// alternatives, `{n}`, `+`, `?`, anchors), so that the rules themselves are tested, not a copy in Rust.
    fn matches(pattern: &str, text: &str) -> bool {
        let node = Alternatives::read(&mut pattern.chars().peekable());
        let text: Vec<char> = text.chars().collect();
        (0..=text.len()).any(|start| node.ends(&text, start).next().is_some())
    }

    type Pattern<'a> = std::iter::Peekable<std::str::Chars<'a>>;

    struct Alternatives(Vec<Vec<(Node, usize, usize)>>);

    enum Node {
        Start,
        End,
        Any,
        Class(Vec<(char, char)>),
        Group(Alternatives),
    }

    impl Alternatives {
        fn read(pattern: &mut Pattern<'_>) -> Self {
            let mut alternatives = vec![vec![]];
            while let Some(char) = pattern.next_if(|char| *char != ')') {
                if char == '|' {
                    alternatives.push(vec![]);
                    continue;
                }
                let node = Node::read(char, pattern);
                let (least, most) = repetition(pattern);
                alternatives.last_mut().unwrap().push((node, least, most));
            }
            Self(alternatives)
        }

        fn ends<'a>(&'a self, text: &'a [char], start: usize) -> Box<dyn Iterator<Item = usize> + 'a> {
            Box::new(self.0.iter().flat_map(move |sequence| {
                sequence.iter().fold(vec![start], |starts, (node, least, most)| {
                    starts.into_iter().flat_map(|start| node.repeated(text, start, *least, *most)).collect()
                })
            }))
        }
    }

    impl Node {
        fn read(char: char, pattern: &mut Pattern<'_>) -> Self {
            match char {
                '^' => Self::Start,
                '$' => Self::End,
                '.' => Self::Any,
                '(' => {
                    let group = Alternatives::read(pattern);
                    assert_eq!(pattern.next(), Some(')'));
                    Self::Group(group)
                }
                '[' => {
                    let members: Vec<char> = pattern.by_ref().take_while(|char| *char != ']').collect();
                    Self::Class(match members[..] {
                        [from, '-', to] => vec![(from, to)],
                        _ => members.into_iter().map(|member| (member, member)).collect(),
                    })
                }
                '\\' | '*' | '+' | '?' | '{' => panic!("{char} is not read here"),
                literal => Self::Class(vec![(literal, literal)]),
            }
        }

        fn repeated(&self, text: &[char], start: usize, least: usize, most: usize) -> Vec<usize> {
            let (mut ends, mut current) = (vec![], vec![start]);
            for count in 0..=most {
                if count >= least {
                    ends.extend(&current);
                }
                current = current.iter().flat_map(|at| self.once(text, *at)).collect();
                if current.is_empty() {
                    break;
                }
            }
            ends
        }

        fn once(&self, text: &[char], at: usize) -> Vec<usize> {
            let next = text.get(at);
            let (matched, length) = match self {
                Self::Start => (at == 0, 0),
                Self::End => (at == text.len(), 0),
                Self::Any => (next.is_some_and(|char| *char != '\n'), 1),
                Self::Class(ranges) => {
                    (next.is_some_and(|char| ranges.iter().any(|(from, to)| (from..=to).contains(&char))), 1)
                }
                Self::Group(group) => return group.ends(text, at).collect(),
            };
            if matched { vec![at + length] } else { vec![] }
        }
    }

    fn repetition(pattern: &mut Pattern<'_>) -> (usize, usize) {
        match pattern.peek() {
            Some('?') => (0, pattern.next().map_or(1, |_| 1)),
            Some('+') => (1, pattern.next().map_or(1, |_| usize::MAX)),
            Some('{') => {
                let count: String = pattern.by_ref().skip(1).take_while(|char| *char != '}').collect();
                let count = count.parse().unwrap();
                (count, count)
            }
            _ => (1, 1),
        }
    }
}
