//! Prepares a parsed template for expansion: refuses what Go's parser refuses
//! and the crate's does not (names that there are not, values that cannot
//! stand in a pipeline), finds out what data is used, and puts functions of
//! ours where the crate would not say what went wrong, or would go on without
//! end ([`functions`](super::functions)).

use std::sync::Arc;

use gotmpl::parse::{
    ActionNode, BranchNode, CommandNode, Expr, ListNode, Node, Number, PipeNode, Pos, SmolStr,
    TemplateNode,
};

use super::error::Site;
use super::functions::{BUILTINS, FIELD, NOTHING, SHOW, STEP, UNDEFINED};
use super::scan::SyntaxError;
use super::{NAME, Uses, show};
use crate::git::GitParts;

type Result<T> = std::result::Result<T, SyntaxError>;

#[derive(Default)]
pub(super) struct Rewriter {
    template: Arc<str>,
    sites: Vec<Site>,
    uses: Uses,
    /// The variables that Go's parser knows of.
    variables: Vec<SmolStr>,
    /// Those of them that will have been declared.
    declared: Vec<SmolStr>,
    /// Whether `$` is the data, and whether the dot is.
    dollar_is_data: bool,
    dot_is_data: bool,
    /// The functions that there are besides Go's.
    functions: &'static [&'static str],
}

impl Rewriter {
    pub(super) fn new(functions: &'static [&'static str]) -> Self {
        Self { functions, ..Self::default() }
    }

    /// The sites that the trees refer to, and what they use.
    pub(super) fn finish(mut self) -> (Vec<Site>, Uses) {
        // `.Git` as a whole has these only for names and images.
        if self.uses.git == GitParts::ALL && !self.functions.is_empty() {
            (self.uses.git.tagged, self.uses.git.remote) = (true, true);
        }
        (self.sites, self.uses)
    }

    /// Rewrites one template. What another one than the main one looks at is
    /// known where it is called: it sees no more than it is given.
    pub(super) fn tree(&mut self, name: &str, tree: &ListNode) -> Result<ListNode> {
        self.template = name.into();
        self.variables = vec!["$".into()];
        self.declared = self.variables.clone();
        self.dollar_is_data = name == NAME;
        self.dot_is_data = name == NAME;
        self.list(tree)
    }

    fn list(&mut self, list: &ListNode) -> Result<ListNode> {
        let mut nodes = Vec::with_capacity(list.nodes.len() * 2);
        for node in &list.nodes {
            let rewritten = match node {
                Node::Action(ActionNode { pos, pipe }) => {
                    nodes.push(self.step(pipe.pos, show::pipe(pipe)));
                    let mut pipe = self.pipe(pipe)?;
                    if pipe.decl.is_empty() {
                        let args = vec![Expr::Identifier(*pos, SHOW.into())];
                        pipe.commands.push(CommandNode { pos: *pos, args });
                    }
                    Node::Action(ActionNode { pos: *pos, pipe })
                }
                Node::If(branch) => {
                    nodes.push(self.step(branch.pipe.pos, show::pipe(&branch.pipe)));
                    Node::If(self.branch(branch, self.dot_is_data)?)
                }
                Node::With(branch) => {
                    nodes.push(self.step(branch.pipe.pos, show::pipe(&branch.pipe)));
                    Node::With(self.branch(branch, false)?)
                }
                Node::Range(branch) => {
                    nodes.push(self.step(branch.pipe.pos, show::pipe(&branch.pipe)));
                    Node::Range(self.branch(branch, false)?)
                }
                Node::Template(call) => {
                    let code = match &call.pipe {
                        None => format!("{{{{template {:?}}}}}", call.name.as_str()),
                        Some(pipe) => show::pipe(pipe),
                    };
                    nodes.push(self.step(call.pos, code));
                    Node::Template(self.call(call)?)
                }
                Node::List(inner) => Node::List(self.list(inner)?),
                Node::Text(_) | Node::Define(_) | Node::Break(_) | Node::Continue(_) => {
                    node.clone()
                }
            };
            nodes.push(rewritten);
        }
        Ok(ListNode { pos: list.pos, nodes })
    }

    fn branch(&mut self, branch: &BranchNode, dot_is_data: bool) -> Result<BranchNode> {
        let (visible, outside) = (self.variables.len(), self.declared.len());
        let pipe = self.pipe(&branch.pipe)?;
        let declared = self.declared.len();
        let dot_outside = std::mem::replace(&mut self.dot_is_data, dot_is_data);
        let body = self.list(&branch.body)?;
        self.dot_is_data = dot_outside;
        self.declared.truncate(declared);
        let else_body = branch.else_body.as_ref().map(|list| self.list(list)).transpose()?;
        self.variables.truncate(visible);
        self.declared.truncate(outside);
        Ok(BranchNode { pos: branch.pos, pipe, body, else_body })
    }

    /// Without an argument, a template sees nothing; the crate would let it
    /// see what its caller does.
    fn call(&mut self, call: &TemplateNode) -> Result<TemplateNode> {
        let pipe = match &call.pipe {
            Some(pipe) => self.pipe(pipe)?,
            None => one(call.pos, vec![Expr::Identifier(call.pos, NOTHING.into())]),
        };
        Ok(TemplateNode { pos: call.pos, name: call.name.clone(), pipe: Some(pipe) })
    }

    fn pipe(&mut self, pipe: &PipeNode) -> Result<PipeNode> {
        // To Go's parser, an assignment is a declaration as well.
        self.variables.extend_from_slice(&pipe.decl);
        let mut commands = Vec::with_capacity(pipe.commands.len() + 1);
        for (index, command) in pipe.commands.iter().enumerate() {
            if let (1.., Some(Expr::Bool(pos, _) | Expr::Dot(pos) | Expr::Nil(pos)))
            | (1.., Some(Expr::Number(pos, _) | Expr::String(pos, _))) =
                (index, command.args.first())
            {
                let message = format!("non executable command in pipeline stage {}", index + 1);
                return Err(SyntaxError::new(pos.offset, message));
            }
            let args = command.args.iter().map(|arg| self.expr(arg)).collect::<Result<_>>()?;
            commands.push(CommandNode { pos: command.pos, args });
        }
        if !pipe.is_assign {
            self.declared.extend_from_slice(&pipe.decl);
        } else if let Some(name) = pipe.decl.iter().find(|name| !self.declared.contains(name)) {
            // The crate would declare it.
            let name = Expr::String(pipe.pos, name.as_str().into());
            let args = vec![Expr::Identifier(pipe.pos, UNDEFINED.into()), name];
            commands.push(CommandNode { pos: pipe.pos, args });
        }
        Ok(PipeNode { pos: pipe.pos, decl: pipe.decl.clone(), commands, is_assign: pipe.is_assign })
    }

    fn expr(&mut self, expr: &Expr) -> Result<Expr> {
        Ok(match expr {
            Expr::Dot(_) => {
                self.uses_all_if(self.dot_is_data);
                expr.clone()
            }
            Expr::Field(pos, names) => {
                if self.dot_is_data {
                    self.note(names);
                }
                // Go names the place of the second key, where there is one.
                let first = names.first().filter(|_| names.len() > 1);
                let offset = pos.offset + first.map_or(0, |first| first.len() + 1);
                self.lookup(*pos, offset, Expr::Dot(*pos), names, show::expr(expr))
            }
            Expr::Variable(pos, name, names) => {
                self.known(*pos, name)?;
                let is_data = name == "$" && self.dollar_is_data;
                if names.is_empty() {
                    self.uses_all_if(is_data);
                    return Ok(expr.clone());
                }
                if is_data {
                    self.note(names);
                }
                let base = Expr::Variable(*pos, name.clone(), Vec::new());
                self.lookup(*pos, pos.offset + name.len(), base, names, show::expr(expr))
            }
            Expr::Identifier(pos, name) => {
                let name_is_among = |known: &[&str]| known.contains(&name.as_str());
                if !name_is_among(&BUILTINS) && !name_is_among(self.functions) {
                    let message = format!("function {:?} not defined", name.as_str());
                    return Err(SyntaxError::new(pos.offset, message));
                }
                expr.clone()
            }
            Expr::Pipe(pos, inner) => Expr::Pipe(*pos, self.pipe(inner)?),
            Expr::Chain(pos, inner, names) => {
                let base = self.expr(inner)?;
                self.lookup(*pos, pos.offset, base, names, show::expr(expr))
            }
            Expr::String(..) | Expr::Number(..) | Expr::Bool(..) | Expr::Nil(_) => expr.clone(),
        })
    }

    fn known(&self, pos: Pos, name: &SmolStr) -> Result<()> {
        if self.variables.contains(name) {
            return Ok(());
        }
        Err(SyntaxError::new(pos.offset, format!("undefined variable {:?}", name.as_str())))
    }

    /// What the keys that follow the data make use of.
    fn note(&mut self, names: &[SmolStr]) {
        let key = names.get(1).map(SmolStr::as_str);
        let mut git = GitParts::default();
        match (names.first().map(SmolStr::as_str), key) {
            (Some("Env"), _) => self.uses.env = true,
            // Its values give way to those of the environment.
            (Some("GoEnv"), _) => (self.uses.go_env, self.uses.env) = (true, true),
            (Some("Date" | "Timestamp"), _) => self.uses.date = true,
            (Some("Git"), None) => git = GitParts::ALL,
            (Some("Git"), Some("Branch")) => git.branch = true,
            (Some("Git"), Some("Tag")) => git.tag = true,
            (Some("Git"), Some("IsTagged")) => git.tagged = true,
            (Some("Git"), Some("URL")) => git.remote = true,
            (Some("Git"), Some("IsDirty" | "IsClean" | "TreeState")) => git.state = true,
            (Some("Git"), Some(_)) => git.commit = true,
            _ => {}
        }
        self.uses.git = self.uses.git.union(git);
    }

    fn uses_all_if(&mut self, all: bool) {
        if all {
            self.uses = Uses::ALL;
        }
    }

    /// A step: nothing to see, but errors know where they are.
    fn step(&mut self, pos: Pos, code: String) -> Node {
        let site = self.site(pos, pos.offset, code);
        let pipe = one(pos, vec![Expr::Identifier(pos, STEP.into()), site]);
        Node::Action(ActionNode { pos, pipe })
    }

    /// A chain of keys, looked up by a function of ours.
    fn lookup(
        &mut self,
        pos: Pos,
        offset: usize,
        base: Expr,
        names: &[SmolStr],
        code: String,
    ) -> Expr {
        let site = self.site(pos, offset, code);
        let mut args = vec![Expr::Identifier(pos, FIELD.into()), site, base];
        args.extend(names.iter().map(|name| Expr::String(pos, name.as_str().into())));
        Expr::Pipe(pos, one(pos, args))
    }

    fn site(&mut self, pos: Pos, offset: usize, code: String) -> Expr {
        let index = i64::try_from(self.sites.len()).expect("fewer sites than bytes of source");
        self.sites.push(Site { offset, template: Arc::clone(&self.template), code });
        Expr::Number(pos, Number::Int(index))
    }
}

/// A pipeline of one command.
fn one(pos: Pos, args: Vec<Expr>) -> PipeNode {
    let commands = vec![CommandNode { pos, args }];
    PipeNode { pos, decl: Vec::new(), commands, is_assign: false }
}
