use std::fmt;
use std::sync::Arc;

use http::Uri;
use reqwest::Url;

/// The longest URL, in characters.
const LONGEST: usize = 2048;

/// Where notifications are sent.
///
/// The path is often a secret: `Debug` and `Display` show scheme, host and port only, the port left out where it is the
/// scheme's default.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiverUrl {
    uri: Uri,
    /// As displayed.
    origin: Arc<str>,
    host: Arc<str>,
    https: bool,
}

/// Why a text is not a [`ReceiverUrl`]. The text itself is not repeated, it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlMalformed {
    /// It has more than 2048 characters.
    #[error("the notification URL is longer than {LONGEST} characters")]
    TooLong,
    /// White space, a control character or a backslash, which readers of URLs take for different things.
    #[error("the notification URL contains white space, a control character or a backslash")]
    Character,
    /// The scheme is something else than `http` or `https`, or `://` does not follow it.
    #[error("the notification URL does not begin with https:// or http://")]
    Scheme,
    /// Nothing stands between `://` and the path.
    #[error("the notification URL has no host")]
    NoHost,
    /// There is an `@` before the host, perhaps with a user name or a password.
    #[error("the notification URL has a user name or password; notifications are signed instead")]
    UserInfo,
    /// There is a `#`.
    #[error("the notification URL has a fragment, which is never sent")]
    Fragment,
    /// Host or port cannot be one.
    #[error("the notification URL has a host or a port that cannot be used")]
    HostOrPort,
}

impl ReceiverUrl {
    /// Reads a URL such as `https://example.com/live/callbacks`.
    ///
    /// A host in another notation (`2130706433`, `0x7f.1`, full-width digits) becomes the address that it stands for.
    pub fn parse(text: &str) -> Result<Self, UrlMalformed> {
        if text.chars().count() > LONGEST {
            return Err(UrlMalformed::TooLong);
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(UrlMalformed::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlMalformed::Scheme)?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(UrlMalformed::Scheme),
        };
        if rest.contains('#') {
            return Err(UrlMalformed::Fragment);
        }
        // Before the text is parsed, which drops empty user info and slashes in front of the host.
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(UrlMalformed::UserInfo);
        }
        if authority.is_empty() || authority.starts_with(':') {
            return Err(UrlMalformed::NoHost);
        }
        Self::normalised(text, https)
    }

    fn normalised(text: &str, https: bool) -> Result<Self, UrlMalformed> {
        let url = Url::parse(text).map_err(|_| UrlMalformed::HostOrPort)?;
        let uri = Uri::try_from(url.as_str()).map_err(|_| UrlMalformed::HostOrPort)?;
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() || url.port() == Some(0) {
            return Err(UrlMalformed::HostOrPort);
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let origin = format!("{}://{host}{port}", url.scheme()).into();
        // A name is the same with the dot of the root behind it.
        let host = host.strip_suffix('.').unwrap_or(host).into();
        Ok(Self { uri, origin, host, https })
    }

    /// The host, lowercased and without a dot at its end; an IPv6 address stands in brackets.
    pub fn host(&self) -> &Arc<str> {
        &self.host
    }

    /// Whether notifications are encrypted.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// All of it.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl fmt::Display for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl fmt::Debug for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiverUrl({}/…)", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_and_port_are_shown_and_the_path_is_not() {
        for (given, shown) in [
            ("https://example.com/secret?secret=secret", "https://example.com"),
            ("HTTPS://Example.COM:443/secret", "https://example.com"),
            ("http://example.com:8080/secret", "http://example.com:8080"),
            ("https://[2606:4700:0::1]:8443/secret", "https://[2606:4700::1]:8443"),
            ("https://example.com", "https://example.com"),
            ("https://example.com?secret", "https://example.com"),
        ] {
            let url = ReceiverUrl::parse(given).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("ReceiverUrl({shown}/…)"));
        }
    }

    #[test]
    fn hosts_are_equal_however_they_are_spelt() {
        for (given, host) in [
            ("https://EXAMPLE.com./a", "example.com"),
            ("https://example.com:8443/b", "example.com"),
            ("https://[::FFFF:1.2.3.4]/", "[::ffff:102:304]"),
            ("https://16909060/", "1.2.3.4"),
        ] {
            assert_eq!(&**ReceiverUrl::parse(given).unwrap().host(), host, "{given}");
        }
    }

    #[test]
    fn anything_but_an_http_url_with_a_host_is_refused() {
        use UrlMalformed::*;
        for (given, why) in [
            ("", Scheme),
            ("example.com/hook", Scheme),
            ("//example.com/hook", Scheme),
            ("https:example.com", Scheme),
            ("https:/example.com", Scheme),
            ("ftp://example.com", Scheme),
            ("file:///etc/passwd", Scheme),
            ("gopher://example.com", Scheme),
            (r"https:\\example.com", Character),
            (r"https://example.com\@evil.com", Character),
            (" https://example.com", Character),
            ("https://example.com\n", Character),
            ("https://exam\tple.com", Character),
            ("https://example.com/a\0b", Character),
            ("https://", NoHost),
            ("https:///example.com", NoHost),
            ("https://?a", NoHost),
            ("https://:443/", NoHost),
            ("https://user@example.com", UserInfo),
            ("https://user:hunter2@example.com", UserInfo),
            ("https://@example.com", UserInfo),
            ("https://:@example.com", UserInfo),
            ("https://example.com#", Fragment),
            ("https://example.com/#top", Fragment),
            ("https://example.com#@evil.com", Fragment),
            ("https://example.com:0/", HostOrPort),
            ("https://example.com:65536/", HostOrPort),
            ("https://example.com:http/", HostOrPort),
            ("https://[fe80::1%25eth0]/", HostOrPort),
            ("https://[::1/", HostOrPort),
            ("https://256.256.256.256/", HostOrPort),
            ("https://exa%00mple.com/", HostOrPort),
            ("https://a%2fb.com/", HostOrPort),
            ("https://a%40b.com/", HostOrPort),
        ] {
            assert_eq!(ReceiverUrl::parse(given).unwrap_err(), why, "{given:?}");
        }
    }

    #[test]
    fn the_length_is_counted_in_characters() {
        let with = |filler: &str, length: usize| {
            let start = "https://example.com/";
            format!("{start}{}", filler.repeat(length - start.len()))
        };
        assert!(ReceiverUrl::parse(&with("a", 2048)).is_ok());
        assert!(ReceiverUrl::parse(&with("ä", 2048)).is_ok());
        assert_eq!(ReceiverUrl::parse(&with("a", 2049)).unwrap_err(), UrlMalformed::TooLong);
    }

    #[test]
    fn an_error_repeats_nothing_of_the_url() {
        for given in ["https://user:hunter2@example.com", "https://hunter2:70000/", "hunter2", "https://e.com/#hunter2"]
        {
            let error = ReceiverUrl::parse(given).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{given}");
        }
    }
}
