use super::*;
use crate::message::labels as text;
use crate::plan::labels::home::Landing;
use crate::plan::{Naming, SinkFolder, Target, Work};

fn folder(name: &str, special_use: Option<SpecialUse>) -> SourceFolder {
    SourceFolder {
        source: 0,
        folder: Folder::parse(name).unwrap(),
        name: name.into(),
        special_use,
        subscribed: true,
        uid_validity: 1,
        uid_next: None,
        messages: 1,
        highest_modseq: None,
        labelled: true,
    }
}

fn gmail() -> Vec<SourceFolder> {
    vec![
        folder("INBOX", None),
        folder("Work", None),
        folder("[Gmail]/All Mail", Some(SpecialUse::All)),
        folder("[Gmail]/Sent Mail", Some(SpecialUse::Sent)),
        folder("[Gmail]/Trash", Some(SpecialUse::Trash)),
    ]
}

fn there(holds: Holds, folders: &[(&str, Option<SpecialUse>)]) -> Landscape {
    let sink = |(name, special_use): &(&str, Option<SpecialUse>)| SinkFolder {
        folder: Folder::parse(name).unwrap(),
        name: (*name).into(),
        special_use: *special_use,
        subscribed: true,
        uid_validity: 1,
        uid_next: None,
        messages: 0,
    };
    Landscape {
        naming: Naming {
            separator: Some(b'/'),
            holds,
            ..Naming::default()
        },
        folders: folders.iter().map(sink).collect(),
    }
}

fn rules() -> FolderRules {
    FolderRules {
        special_use: true,
        ..FolderRules::default()
    }
}

fn labels(rules: &FolderRules) -> Labels {
    let landscape = there(
        Holds::Nothing,
        &[("Sent", Some(SpecialUse::Sent)), ("Trash", None)],
    );
    Labels::new(rules, &landscape, &gmail())
}

fn step(labels: &Labels, source: SourceFolder) -> Step {
    let take = labels.take(&source).unwrap();
    let target = labels.landscape.target(&Folder::parse("Archive").unwrap());
    Step {
        source,
        target,
        work: Work::CopyWhole { messages: 1 },
        take,
    }
}

fn flags(labels: &[&str]) -> Flags {
    Flags {
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        ..Flags::default()
    }
}

fn lands(labels: &Labels, of: &[&str]) -> String {
    let step = step(labels, gmail().remove(2));
    let Target { folder, .. } = labels.target(&step, &flags(of));
    folder.to_string()
}

#[test]
fn the_first_label_decides() {
    let plain = labels(&rules());
    assert_eq!(lands(&plain, &["Work", text::INBOX, text::SENT]), "INBOX");
    assert_eq!(lands(&plain, &["b/c", "Work", text::SENT]), "Work");
    assert_eq!(lands(&plain, &[text::SENT, text::IMPORTANT]), "Sent");
    assert_eq!(lands(&plain, &[text::IMPORTANT, "\\Muted"]), "Archive");
    let named = labels(&FolderRules {
        label_priority: vec![Folder::parse("WORK").unwrap()],
        ..rules()
    });
    assert_eq!(lands(&named, &["A", "Work", text::INBOX]), "Work");
}

#[test]
fn a_label_called_as_a_special_folder_does_not_become_it() {
    let labels = labels(&rules());
    assert_eq!(lands(&labels, &["Trash"]), "Trash (label)");
    assert_eq!(lands(&labels, &["Sent"]), "Sent (label)");
    assert_eq!(lands(&labels, &["x/Trash"]), "x/Trash");
}

#[test]
fn what_is_read_depends_on_the_destination_and_the_job() {
    let takes = |labels: &Labels| -> Vec<Option<Take>> {
        let folders = gmail().into_iter();
        folders.map(|folder| labels.take(&folder).ok()).collect()
    };
    let once = [None, None, Some(Take::Routed), None, Some(Take::All)];
    assert_eq!(takes(&labels(&rules())), once);
    let copies = FolderRules {
        labels: LabelRule::Folders,
        ..rules()
    };
    let all = Some(Take::All);
    assert_eq!(
        takes(&labels(&copies)),
        [all, all, Some(Take::Unfiled), all, all]
    );
    let kept = Labels::new(&copies, &there(Holds::Sidecar, &[]), &gmail());
    assert_eq!(takes(&kept)[2], Some(Take::Kept));
    let mut hidden = gmail();
    hidden.remove(2);
    let hidden = Labels::new(&rules(), &there(Holds::Labels, &[]), &hidden);
    assert!(hidden.hidden(0).is_some());
    assert_eq!(hidden.take(&gmail()[1]), Ok(Take::First));
    let archive: Vec<SourceFolder> = gmail().into_iter().skip(2).take(1).collect();
    let archive = Labels::new(&copies, &there(Holds::Nothing, &[]), &archive);
    assert_eq!(archive.take(&gmail()[2]), Ok(Take::Routed));
}

#[test]
fn without_the_whole_each_message_is_one_steps_part() {
    let mut shown = gmail();
    shown.remove(2);
    let labels = Labels::new(&rules(), &there(Holds::Nothing, &[]), &shown);
    let (inbox, work) = (
        step(&labels, shown[0].clone()),
        step(&labels, shown[1].clone()),
    );
    let both = flags(&[text::INBOX, "Work"]);
    assert_eq!(labels.part(&inbox, &both), Part::Taken);
    assert_eq!(labels.part(&work, &both), Part::Elsewhere);
    // A label that no folder shows does not count.
    let hidden = flags(&["Another", "Work"]);
    assert_eq!(labels.part(&work, &hidden), Part::Taken);
}

#[test]
fn include_and_exclude_are_about_labels() {
    let glob = |text: &str| globset::Glob::new(text).unwrap().compile_matcher();
    let labels = labels(&FolderRules {
        exclude: vec![glob("Work"), glob("[[]Gmail]/All Mail")],
        ..rules()
    });
    let all = step(&labels, gmail().remove(2));
    assert_eq!(labels.part(&all, &flags(&["Work"])), Part::LeftOut);
    assert_eq!(labels.part(&all, &flags(&["Work", "B"])), Part::Taken);
    assert_eq!(labels.part(&all, &flags(&[])), Part::LeftOut);
    assert_eq!(lands(&labels, &["Work", "X"]), "X");
}

#[test]
fn what_is_carried_depends_on_what_the_destination_holds() {
    let of = flags(&[text::INBOX, text::IMPORTANT, text::SENT, "\\Muted", "a b"]);
    let whole = &gmail()[2];
    let first = labels(&rules());
    assert!(first.carried(whole, &of).is_empty());
    let keywords = labels(&FolderRules {
        labels: LabelRule::Keywords,
        ..rules()
    });
    assert_eq!(
        keywords.carried(whole, &of).atoms(),
        ["$Important", "a_20b"]
    );
    let server = Labels::new(&rules(), &there(Holds::Labels, &[]), &gmail());
    let there = |folder: &SourceFolder| {
        server
            .carried(folder, &of)
            .labels
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(there(whole), [text::IMPORTANT, text::INBOX, "a b"]);
    assert_eq!(there(&gmail()[4]), [text::IMPORTANT, "a b"]);
    let mut left = flags(&["a b", "c"]);
    assert!(Labels::drop_keyword(&mut left, "A_20b"));
    assert_eq!(left, flags(&["c"]));
}

#[test]
fn what_has_no_label_goes_to_the_archive() {
    let mapped = map::target(
        &rules(),
        &gmail()[2].folder,
        &Uses::default(),
        &Uses::default(),
    );
    let mapped = mapped.unwrap();
    let rest = |landscape: Landscape| Labels::new(&rules(), &landscape, &gmail()).rest(&mapped);
    let archive = rest(there(
        Holds::Nothing,
        &[("Archiv", Some(SpecialUse::Archive))],
    ));
    assert_eq!(archive.folder.to_string(), "Archiv");
    let Landing {
        folder,
        special_use,
    } = rest(there(Holds::Nothing, &[]));
    assert_eq!(
        (folder.to_string().as_str(), special_use),
        ("Archive", Some(SpecialUse::Archive))
    );
    let all = rest(there(Holds::Labels, &[("[G]/Alle", Some(SpecialUse::All))]));
    assert_eq!(all.folder.to_string(), "[G]/Alle");
}
