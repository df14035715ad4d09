//! The vendor's refusals: literal texts, statuses and body shapes of its error page. It uses three shapes; which text
//! comes in which is documented for a few only.

use http::StatusCode;
use serde_json::{Value, json};
use thiserror::Error;

/// A call that the vendor answers with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The key is missing or wrong.
    #[error("Unauthorized")]
    Unauthorized,
    /// No such address. The vendor's page prints the text of a wrong key there, too.
    #[error("Unauthorized")]
    NoSuchAddress,
    /// No such job in the key's account: a 500, and not a 404.
    #[error("DB getItem, no results found")]
    NoSuchJob,
    /// A field with a bad value; an activation of a job that is not static.
    #[error("Invalid input value")]
    InvalidInput,
    /// Create only.
    #[error("Invalid region")]
    InvalidRegion,
    /// The account has all the static jobs it may have.
    #[error("You've reached the number of static entry points jobs you can create in this region for your account")]
    TooManyStaticJobs,
    /// Documented for stopping a stopped job; used for every switch that finds nothing to do.
    #[error("After filtering, there is no job to process")]
    NothingToProcess,
    /// Too many activations under way at once.
    #[error(
        "Allocating additional streaming capacity to the region. Please retry your request.: no_streaming_capacity_in_region"
    )]
    NoCapacity,
}

impl Refusal {
    /// The status it comes with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NoSuchAddress => StatusCode::NOT_FOUND,
            Self::InvalidInput | Self::InvalidRegion | Self::TooManyStaticJobs => StatusCode::BAD_REQUEST,
            Self::NoSuchJob | Self::NothingToProcess | Self::NoCapacity => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The body, in its shape.
    pub fn body(self) -> Value {
        let text = self.to_string();
        match self {
            Self::InvalidInput | Self::InvalidRegion | Self::TooManyStaticJobs => json!({ "error": text }),
            Self::Unauthorized | Self::NoSuchAddress | Self::NoSuchJob | Self::NothingToProcess => {
                json!({ "message": text })
            }
            Self::NoCapacity => {
                json!({ "message": text, "statusCode": 500, "name": "ApiError", "isApiError": true })
            }
        }
    }
}
