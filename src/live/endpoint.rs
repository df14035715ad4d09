use std::fmt;
use std::sync::Arc;

use reqwest::Url;

/// The vendor's own endpoint (vendor: API reference, servers; the `/v1` belongs to the paths).
pub const VENDOR: &str = "https://api.bcovlive.io";

/// Where a Live API is: an origin, that is scheme, host and port, and nothing more.
///
/// Displays as the origin, the port left out where it is the scheme's default.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// As displayed.
    origin: Arc<str>,
    host: Arc<str>,
    port: u16,
    scheme: Scheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("https") {
            Some(Self::Https)
        } else if text.eq_ignore_ascii_case("http") {
            Some(Self::Http)
        } else {
            None
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Why a text is not an [`Endpoint`]. The text itself is not repeated, it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// There is no `scheme://host` to be found.
    #[error("the endpoint is not a URL such as {VENDOR}: {why}")]
    NotAUrl {
        /// What is wrong with it.
        why: String,
    },
    /// The scheme is something else than `http` or `https`.
    #[error("the endpoint's scheme is neither http nor https")]
    Scheme,
    /// There is a user name or a password before the host.
    #[error("the endpoint holds a user name or password; the API key is the only credential")]
    UserInfo,
    /// There is something behind host and port.
    #[error("the endpoint has a path, query or fragment; give only scheme, host and port, such as {VENDOR}")]
    NotAnOrigin,
}

impl Endpoint {
    /// Reads an origin such as `https://api.bcovlive.io` or `http://simulator:8080`. One trailing slash and
    /// surrounding white space are let pass; the host is lowercased.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(not_a_url("it contains white space, a control character or a backslash"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(not_a_url("it does not begin with https://"));
        };
        let scheme = Scheme::parse(scheme).ok_or(EndpointError::Scheme)?;
        if rest.contains('@') {
            return Err(EndpointError::UserInfo);
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(EndpointError::NotAnOrigin);
        }
        Self::from_authority(scheme, authority)
    }

    /// The vendor's endpoint, [`VENDOR`].
    pub fn vendor() -> Self {
        Self { origin: VENDOR.into(), scheme: Scheme::Https, host: "api.bcovlive.io".into(), port: 443 }
    }

    /// The same as text, shared by all who hold it.
    pub fn origin(&self) -> Arc<str> {
        Arc::clone(&self.origin)
    }

    /// The host, lowercased; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's default where none was given.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether requests are encrypted.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    fn from_authority(scheme: Scheme, authority: &str) -> Result<Self, EndpointError> {
        if authority.is_empty() {
            return Err(not_a_url("it has no host"));
        }
        let url = Url::parse(&format!("{}://{authority}", scheme.name())).map_err(|e| not_a_url(&e.to_string()))?;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        if host.is_empty() || port == 0 {
            return Err(not_a_url("it has no usable host or port"));
        }
        let port_shown = if port == scheme.default_port() { String::new() } else { format!(":{port}") };
        let origin = format!("{}://{host}{port_shown}", scheme.name()).into();
        Ok(Self { origin, scheme, host: host.into(), port })
    }
}

fn not_a_url(why: &str) -> EndpointError {
    EndpointError::NotAUrl { why: why.to_owned() }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_origin() {
        for (given, shown) in [
            (VENDOR, VENDOR),
            ("https://api.bcovlive.io/", VENDOR),
            (" HTTPS://API.bcovlive.io:443\n", VENDOR),
            ("http://simulator:8080", "http://simulator:8080"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            assert_eq!(Endpoint::parse(given).unwrap().to_string(), shown, "{given}");
        }
        assert_eq!(Endpoint::parse(VENDOR).unwrap(), Endpoint::vendor());
    }

    #[test]
    fn anything_but_an_origin_is_refused_with_a_sentence() {
        for (given, sentence) in [
            ("", "does not begin with https://"),
            ("api.bcovlive.io", "does not begin with https://"),
            ("https:api.bcovlive.io", "does not begin with https://"),
            ("https://", "no host"),
            ("https:///v1", "path, query or fragment"),
            ("https://host:port", "port"),
            ("https://host:0", "port"),
            ("https://host:70000", "port"),
            ("ftp://host", "neither http nor https"),
            ("https://api.bcovlive.io/v1", "path, query or fragment"),
            ("https://api.bcovlive.io//", "path, query or fragment"),
            ("https://api.bcovlive.io?a", "path, query or fragment"),
            ("https://api.bcovlive.io#a", "path, query or fragment"),
            ("https://api.bcovlive.io\\v1", "backslash"),
            ("https://api bcovlive.io", "white space"),
        ] {
            let error = Endpoint::parse(given).unwrap_err().to_string();
            assert!(error.contains(sentence), "{given}: {error}");
        }
    }

    #[test]
    fn a_password_in_the_endpoint_is_refused_and_not_repeated() {
        let error = Endpoint::parse("https://user:hunter2@api.bcovlive.io").unwrap_err();
        assert_eq!(error, EndpointError::UserInfo);
        assert!(!error.to_string().contains("hunter2"));
    }
}
