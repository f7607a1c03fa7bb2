//! Which workflow starts which others, and whether one starts itself.

use std::collections::HashMap;

use tako_schemas::journal::Ancestor;

/// That one workflow starts another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The position of the other.
    pub to: usize,
    /// Whether a filter decides it.
    pub filtered: bool,
}

/// Workflows of repositories, and what they start.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Ancestor>,
    edges: Vec<Vec<Edge>>,
    known: HashMap<Ancestor, usize>,
}

impl Graph {
    /// The position of a workflow, which is added unless it is there.
    pub fn node(&mut self, node: Ancestor) -> usize {
        *self.known.entry(node.clone()).or_insert_with(|| {
            self.nodes.push(node);
            self.edges.push(Vec::new());
            self.nodes.len() - 1
        })
    }

    /// Says that the workflow at `from` starts that at `to`, both positions being of nodes.
    pub fn edge(&mut self, from: usize, to: usize, filtered: bool) {
        if let Some(edges) = self.edges.get_mut(from) {
            edges.push(Edge { to, filtered });
        }
    }

    /// The workflows, in the order in which they were added.
    #[must_use]
    pub fn nodes(&self) -> &[Ancestor] {
        &self.nodes
    }

    /// What the workflow at `from` starts.
    #[must_use]
    pub fn edges(&self, from: usize) -> &[Edge] {
        self.edges.get(from).map_or(&[], Vec::as_slice)
    }

    /// The first cycle over edges that `counts`, in depth-first order, its first workflow again at the end. Iterative,
    /// since files decide how deep it is.
    pub fn cycle(&self, counts: impl Fn(&Edge) -> bool) -> Option<Vec<&Ancestor>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnPath,
            Done,
        }
        let mut marks = vec![Mark::New; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if marks[start] != Mark::New {
                continue;
            }
            marks[start] = Mark::OnPath;
            let mut path = vec![(start, 0)];
            while let Some((node, next)) = path.last_mut() {
                let Some(edge) = self.edges[*node].get(*next) else {
                    marks[*node] = Mark::Done;
                    path.pop();
                    continue;
                };
                *next += 1;
                if !counts(edge) {
                    continue;
                }
                match marks[edge.to] {
                    Mark::Done => {}
                    Mark::New => {
                        marks[edge.to] = Mark::OnPath;
                        path.push((edge.to, 0));
                    }
                    Mark::OnPath => {
                        let closing = path.iter().map(|(node, _)| *node).skip_while(|node| *node != edge.to);
                        return Some(closing.chain([edge.to]).map(|node| &self.nodes[node]).collect());
                    }
                }
            }
        }
        None
    }
}
