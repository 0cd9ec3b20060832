//! One expression: its tree, and the bounds of its work.

use super::{
    FilterError,
    cost::{Bound, LARGEST, Match, SMALL},
    evaluate::{self, Subject},
    lexical,
    limits::MATCH_UNITS_MAX,
    meter::{Meter, Stopped},
    read,
    tree::Node,
    value::Fault,
};

#[derive(Clone)]
pub(super) struct Expression {
    tree: std::sync::Arc<Node>,
    pub(super) small: Bound,
    pub(super) largest: Bound,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expression").field("units", &self.small.units).finish_non_exhaustive()
    }
}

impl Expression {
    pub(super) fn parse(cel: &str) -> Result<Self, FilterError> {
        lexical::check(cel)?;
        let tree = read::read(cel)?;
        let small = Bound::of(&tree, SMALL);
        let (largest, longest) = Bound::with_longest(&tree, LARGEST);
        if let Some(Match { regex, bytes, units }) = longest
            && units > MATCH_UNITS_MAX
        {
            let (pattern, per_byte) = (regex.shown().to_owned(), regex.units_per_byte());
            return Err(FilterError::MatchTooCostly { pattern, per_byte, bytes, units });
        }
        Ok(Self { tree: tree.into(), small, largest })
    }

    /// Whether the expression is true of `subject`; what errs does not match.
    pub(super) fn matches(
        &self,
        subject: &Subject<'_>,
        meter: &mut Meter<'_>,
    ) -> Result<bool, Stopped> {
        match evaluate::holds(&self.tree, subject, meter) {
            Ok(holds) => Ok(holds),
            Err(Fault::Error) => Ok(false),
            Err(Fault::Stopped) => Err(Stopped),
        }
    }
}
