//! What a query asks for, from its syntax.

use std::collections::BTreeSet;

use promql_parser::parser;
use promql_parser::parser::Expr;
use promql_parser::parser::LabelModifier;
use promql_parser::util::ExprVisitor;
use promql_parser::util::walk_expr;

/// What one query reads.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) metrics: BTreeSet<String>,
    /// Metrics whose increase over a time is asked for.
    pub(crate) rated: BTreeSet<String>,
    /// How often a metric is read.
    pub(crate) selectors: usize,
    /// What joins series of archives or of pods and does not keep the Kubernetes cluster apart.
    pub(crate) mixed: Vec<String>,
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
                self.selectors += 1;
                self.metrics.extend(selector.name.clone());
            }
            Expr::Aggregate(aggregate) => self.joined(aggregate.modifier.as_ref()),
            Expr::Binary(binary) => {
                self.joined(binary.modifier.as_ref().and_then(|it| it.matching.as_ref()));
            }
            Expr::MatrixSelector(selector) => {
                self.selectors += 1;
                self.metrics.extend(selector.vs.name.clone());
                self.rated.extend(selector.vs.name.clone());
            }
            _ => {}
        }
        Ok(true)
    }
}

impl Asked {
    fn joined(&mut self, modifier: Option<&LabelModifier>) {
        let Some(LabelModifier::Include(labels)) = modifier else { return };
        let has = |label: &str| labels.labels.iter().any(|it| it == label);
        let is_told = ["cnpg_cluster", "instance", "object_store"].iter().any(|it| has(it));
        if is_told && !has("cluster") {
            self.mixed.push(labels.labels.join(", "));
        }
    }
}

#[test]
fn a_query_is_read_to_its_leaves() {
    let query = "max by (a) (x{b=\"c\"} or 2 * y) + histogram_quantile(0.9, rate(z_bucket[1m]))";
    let asked = read(query).unwrap();
    assert_eq!(asked.metrics.into_iter().collect::<Vec<_>>(), ["x", "y", "z_bucket"]);
    assert_eq!(asked.rated.into_iter().collect::<Vec<_>>(), ["z_bucket"]);
    assert_eq!(asked.selectors, 3);
    assert!(read("sum(x").is_err());
    let mixed = |query| read(query).unwrap().mixed;
    assert_eq!(mixed("max by (cnpg_cluster) (x) and on (cluster, instance) y"), ["cnpg_cluster"]);
    assert_eq!(mixed("max by (cluster, cnpg_cluster) (x) and on (instance) y"), ["instance"]);
}
