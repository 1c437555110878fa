//! What a flow must keep to before it stands in a library, what its next version is, and which
//! flows are looked for. What a document means is left to the host.

use crate::{
    rules::{
        record::{FlowRecord, Unknown},
        submission::{name, over_limit, text},
    },
    values::{
        digest::Digest,
        fleet::{
            audit::Author,
            flow::{FlowFilter, FlowSpec, FlowVersion},
        },
        id::TenantId,
        reply::{RefusalCode, Refused},
        time::Timestamp,
    },
};

/// A version that was asked for, and checked.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) spec: &'a FlowSpec,
    /// What the document calls itself, and how many steps it has.
    pub(crate) title: Option<String>,
    pub(crate) steps: Option<u32>,
    /// Over which version it is to be put: 0 if there is to be none.
    pub(crate) expected: Option<u32>,
}

/// What is to be done for a version that was asked for.
#[derive(Debug)]
pub(crate) enum Next {
    /// Nothing: the newest version is what was asked for.
    Same,
    /// This is to be written, and the documents of these versions to be deleted.
    Written(Box<FlowRecord>, Vec<u32>),
}

/// Checks every member against its limit.
pub(crate) fn check(called: &str, spec: &FlowSpec) -> Result<(), Refused> {
    name("name", called)?;
    if called.starts_with('.') || called.contains(['/', '\\']) {
        return Err(invalid("name: must not begin with a dot or hold a slash: it stands in addresses"));
    }
    name("kind", &spec.kind)?;
    if let Some(description) = &spec.description {
        text("description", description, FlowSpec::DESCRIPTION_BYTES_MAX)?;
    }
    if spec.tags.len() > FlowSpec::TAGS_MAX {
        return Err(over_limit("tags", spec.tags.len(), FlowSpec::TAGS_MAX, "tags"));
    }
    spec.tags.iter().try_for_each(|tag| name("tags", tag))?;
    if spec.document.is_empty() {
        return Err(invalid("document: must not be empty"));
    }
    let limit = FlowSpec::DOCUMENT_BYTES_MAX;
    if spec.document.len() > limit {
        return Err(over_limit("document", spec.document.len(), limit, "bytes"));
    }
    Ok(())
}

/// What putting a version comes to, over what is there.
pub(crate) fn put(
    found: Option<FlowRecord>,
    asked: &Asked<'_>,
    tenant: TenantId,
    author: Author,
    now: Timestamp,
) -> Result<Next, Refused> {
    let Asked { name, spec, title, steps, expected } = asked;
    let digest = Digest::of(spec.document.as_bytes());
    if let Some(found) = &found
        && found.newest.digest == digest
        && found.kind == spec.kind
        && found.description == spec.description
        && found.tags == spec.tags
        && expected
            .is_none_or(|expected| expected == found.newest.version || expected + 1 == found.newest.version)
    {
        return Ok(Next::Same);
    }
    let before = found.as_ref().map_or(0, |found| found.newest.version);
    expect(name, before, *expected)?;
    let newest = FlowVersion {
        version: before.saturating_add(1),
        digest,
        length: u64::try_from(spec.document.len()).unwrap_or(u64::MAX),
        made_at: now,
        author,
    };
    let (made_at, mut older, unknown) = match found {
        Some(mut found) => {
            found.older.push(found.newest);
            (found.made_at, found.older, found.unknown)
        }
        None => (now, Vec::new(), Unknown::new()),
    };
    let surplus = (older.len() + 1).saturating_sub(FlowSpec::VERSIONS_MAX);
    let dropped = older.drain(..surplus).map(|version| version.version).collect();
    let record = FlowRecord {
        tenant,
        name: (*name).to_owned(),
        kind: spec.kind.clone(),
        title: title.clone(),
        steps: *steps,
        description: spec.description.clone(),
        tags: spec.tags.clone(),
        made_at,
        newest,
        older,
        unknown,
    };
    Ok(Next::Written(Box::new(record), dropped))
}

/// Refuses what was asked for over another version than the one that is there.
pub(crate) fn expect(name: &str, found: u32, expected: Option<u32>) -> Result<(), Refused> {
    let problem = match expected {
        None => return Ok(()),
        Some(expected) if expected == found => return Ok(()),
        Some(0) => format!("version: there is a flow {name:?}, at version {found}: say so, or choose a name"),
        Some(_) if found == 0 => format!("version: there is no flow {name:?}: it was deleted"),
        Some(expected) => {
            format!("version: {name:?} is at version {found} and not {expected}: look at it again")
        }
    };
    Err(Refused::new(RefusalCode::Conflict, problem))
}

/// Whether a flow is one of those that are looked for.
pub(crate) fn is_found(flow: &FlowRecord, filter: &FlowFilter) -> bool {
    let FlowFilter { text, tag } = filter;
    let has = |text: &str, wanted: &str| text.to_lowercase().contains(wanted);
    let wanted = text.as_ref().map(|text| text.to_lowercase());
    let texts = [Some(&flow.name), flow.title.as_ref(), flow.description.as_ref()];
    wanted.is_none_or(|wanted| texts.into_iter().flatten().any(|text| has(text, &wanted)))
        && tag.as_ref().is_none_or(|tag| flow.tags.contains(tag))
}

fn invalid(problem: &str) -> Refused {
    Refused::new(RefusalCode::Invalid, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(7);

    fn asked<'a>(spec: &'a FlowSpec, expected: Option<u32>) -> Asked<'a> {
        Asked { name: "checkout", spec, title: None, steps: None, expected }
    }

    fn written(found: Option<FlowRecord>, text: &str) -> (FlowRecord, Vec<u32>) {
        let spec = FlowSpec::new(text.as_bytes().to_vec());
        match put(found, &asked(&spec, None), TenantId::DEFAULT, Author::default(), NOW).unwrap() {
            Next::Written(record, dropped) => (*record, dropped),
            Next::Same => panic!("{text} is another document"),
        }
    }

    #[test]
    fn versions_count_up_and_only_the_newest_are_kept() {
        let (mut flow, dropped) = written(None, "0");
        assert_eq!((flow.newest.version, dropped), (1, Vec::new()));
        let mut gone = Vec::new();
        for text in 1..=FlowSpec::VERSIONS_MAX {
            let (next, dropped) = written(Some(flow), &text.to_string());
            flow = next;
            gone.extend(dropped);
        }
        assert_eq!(flow.newest.version as usize, FlowSpec::VERSIONS_MAX + 1);
        assert_eq!(flow.versions().count(), FlowSpec::VERSIONS_MAX);
        assert_eq!(gone, [1]);
    }

    #[test]
    fn what_is_asked_for_again_is_no_version() {
        let (flow, _) = written(None, "a");
        let spec = FlowSpec::new(b"a".to_vec());
        for expected in [None, Some(0), Some(1)] {
            let next =
                put(Some(flow.clone()), &asked(&spec, expected), TenantId::DEFAULT, Author::default(), NOW);
            assert!(matches!(next, Ok(Next::Same)), "{expected:?}");
        }
    }

    #[test]
    fn another_version_than_the_expected_one_is_a_conflict() {
        let (flow, _) = written(None, "a");
        let spec = FlowSpec::new(b"b".to_vec());
        for (found, expected) in [(Some(flow.clone()), 0), (Some(flow), 2), (None, 1)] {
            let next = put(found, &asked(&spec, Some(expected)), TenantId::DEFAULT, Author::default(), NOW);
            assert_eq!(next.unwrap_err().code, RefusalCode::Conflict, "{expected}");
        }
    }

    #[test]
    fn each_refusal_names_the_member_and_the_limit() {
        let spec = FlowSpec::new(b"{}".to_vec());
        let problem = |called: &str, spec: &FlowSpec| check(called, spec).unwrap_err().detail;
        assert!(problem("a/b", &spec).starts_with("name: must not begin"));
        assert!(problem("..", &spec).starts_with("name: must not begin"));
        let many = (0..17).map(|tag| tag.to_string()).collect();
        let many = FlowSpec { tags: many, ..spec.clone() };
        assert_eq!(problem("a", &many), "tags: has 17 tags, and the limit is 16");
        let large = FlowSpec::new(vec![b' '; FlowSpec::DOCUMENT_BYTES_MAX + 1]);
        assert_eq!(problem("a", &large), "document: has 4194305 bytes, and the limit is 4194304");
        assert_eq!(problem("a", &FlowSpec::new(Vec::new())), "document: must not be empty");
    }
}
