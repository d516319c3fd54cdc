//! What a finding is made of: its documentation, its severity, what it explains, and one function.

use crate::facts::{Code, Confidence, Evidence, Finding, Fix, Fqdn, Severity};

use super::case::Case;

/// A finding's declaration. Made by `declare_finding!`, listed in its family's `RULES`.
#[derive(Debug)]
pub struct Rule {
    /// `family/slug`.
    pub code: &'static str,
    /// The highest severity that the function gives.
    pub severity: Severity,
    /// Microsoft's article: the last part of its address below `/azure/container-registry/`,
    /// or a whole address.
    pub article: &'static str,
    /// Codes that follow from this one where both concern the same endpoint.
    pub explains: &'static [&'static str],
    /// The documentation's lines: a sentence, then the sections of a page.
    pub documentation: &'static [&'static str],
    /// The file that declares it, from the project's root.
    pub file: &'static str,
    /// The function: facts to drafts, none if all is well.
    pub check: fn(&Case<'_>) -> Vec<Draft>,
}

impl Rule {
    /// The documentation as Markdown.
    pub fn markdown(&self) -> String {
        let lines: Vec<&str> = self.documentation.iter().map(|l| l.strip_prefix(' ').unwrap_or(l)).collect();
        lines.join("\n")
    }

    /// The first sentence of the documentation.
    pub fn headline(&self) -> String {
        let text = self.markdown();
        let first = text.split("\n\n").next().unwrap_or_default();
        first.replace('\n', " ").trim().to_owned()
    }

    /// The address of Microsoft's article.
    pub fn docs(&self) -> String {
        if self.article.starts_with("https://") {
            self.article.to_owned()
        } else {
            format!("https://learn.microsoft.com/azure/container-registry/{}", self.article)
        }
    }

    /// Turns a draft into a finding of this rule.
    pub fn finding(&self, draft: Draft) -> Finding {
        Finding {
            code: Code::from(self.code),
            severity: draft.severity.unwrap_or(self.severity).min(self.severity),
            confidence: draft.confidence,
            root_cause: false,
            explained_by: Vec::new(),
            title: draft.title,
            detail: draft.detail,
            evidence: draft.evidence,
            fix: draft.fix,
            docs: self.docs(),
            depends_on_unknown: draft.unknowns,
            decided_by: None,
        }
    }
}

/// Declares a rule: documentation above, then name, code, severity, article, what it explains, function.
macro_rules! declare_finding {
    (
        $(#[doc = $doc:literal])+
        $name:ident = $code:literal, $severity:ident, article $article:literal,
        explains [$($explained:literal),* $(,)?], $check:ident;
    ) => {
        $(#[doc = $doc])+
        static $name: $crate::reconcile::rule::Rule = $crate::reconcile::rule::Rule {
            code: $code,
            severity: $crate::facts::Severity::$severity,
            article: $article,
            explains: &[$($explained),*],
            documentation: &[$($doc),+],
            file: file!(),
            check: $check,
        };
    };
}
pub(crate) use declare_finding;

/// What a rule's function returns: a finding without what the declaration already says.
#[derive(Debug, Clone)]
pub struct Draft {
    /// One line that names the object.
    pub title: String,
    /// A sentence or two.
    pub detail: String,
    /// Lower than the declaration's, where the case is milder; `None`: as declared.
    pub severity: Option<Severity>,
    /// How sure.
    pub confidence: Confidence,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// What mends it, the narrowest first.
    pub fix: Vec<Fix>,
    /// The endpoints that it concerns; empty: the registry as a whole.
    pub subjects: Vec<Fqdn>,
    /// Unknown facts that keep it from being certain.
    pub unknowns: Vec<String>,
    /// Whether it stands beside a failure and explains none, whatever its declaration says.
    pub bystander: bool,
}

impl Draft {
    /// A certain finding about the registry as a whole.
    pub fn new(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            detail: detail.into(),
            severity: None,
            confidence: Confidence::Certain,
            evidence: Vec::new(),
            fix: Vec::new(),
            subjects: Vec::new(),
            unknowns: Vec::new(),
            bystander: false,
        }
    }

    /// Adds what was seen.
    #[must_use]
    pub fn seen(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Adds a fix; the narrowest comes first.
    #[must_use]
    pub fn mend(mut self, fix: impl IntoIterator<Item = Fix>) -> Self {
        self.fix.extend(fix);
        self
    }

    /// Says which endpoints it concerns.
    #[must_use]
    pub fn about<'f>(mut self, hosts: impl IntoIterator<Item = &'f Fqdn>) -> Self {
        self.subjects.extend(hosts.into_iter().cloned());
        self
    }

    /// Lowers the severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// Not certain: the evidence favours it.
    #[must_use]
    pub fn likely(mut self) -> Self {
        self.confidence = self.confidence.min(Confidence::Likely);
        self
    }

    /// Only possible, for want of the facts named.
    #[must_use]
    pub fn possible(mut self, missing: impl IntoIterator<Item = String>) -> Self {
        self.confidence = Confidence::Possible;
        self.unknowns.extend(missing);
        self
    }

    /// Worth a word, and the cause of no failure seen in this case.
    #[must_use]
    pub fn bystander(mut self) -> Self {
        self.bystander = true;
        self
    }
}
