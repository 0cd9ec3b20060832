//! Who asks: whose a connection is, and whose a request, is said alike.
//!
//! It refuses to say what a client may do.

use crate::holder::Holder;

/// A principal that said who it is, else an address.
pub(super) type Client = Holder;
