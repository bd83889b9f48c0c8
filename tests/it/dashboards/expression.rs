//! What a query asks for, from its syntax.

use std::collections::BTreeSet;

use promql_parser::parser;
use promql_parser::parser::Expr;
use promql_parser::util::ExprVisitor;
use promql_parser::util::walk_expr;

/// What one query reads.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) metrics: BTreeSet<String>,
    /// Metrics whose increase over a time is asked for.
    pub(crate) rated: BTreeSet<String>,
}

/// Reads a query without variables; the error is the parser's.
pub(crate) fn read(query: &str) -> Result<Asked, String> {
    let expression = parser::parse(query)?;
    let mut asked = Asked::default();
    walk_expr(&mut asked, &expression)?;
    Ok(asked)
}

impl ExprVisitor for Asked {
    type Error = String;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, String> {
        match expression {
            Expr::VectorSelector(selector) => {
                self.metrics.extend(selector.name.clone());
            }
            Expr::MatrixSelector(selector) => {
                self.metrics.extend(selector.vs.name.clone());
                self.rated.extend(selector.vs.name.clone());
            }
            _ => {}
        }
        Ok(true)
    }
}

#[test]
fn a_query_is_read_to_its_leaves() {
    let query = "max by (a) (x{b=\"c\"} or 2 * y) + histogram_quantile(0.9, rate(z_bucket[1m]))";
    let asked = read(query).unwrap();
    assert_eq!(asked.metrics.into_iter().collect::<Vec<_>>(), ["x", "y", "z_bucket"]);
    assert_eq!(asked.rated.into_iter().collect::<Vec<_>>(), ["z_bucket"]);
    assert!(read("sum(x").is_err());
}
