//! Who asks: whose a connection is, and whose a request, is said alike.

use crate::holder::Holder;

/// A principal that said who it is, else an address.
pub(super) type Client = Holder;
