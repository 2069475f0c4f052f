//! `mailhaul login JOB`.

use super::args::LoginArgs;
use super::exit_codes::ExitCode;
use super::load;
use super::options::Options;
use super::terminal::Terminal;
use crate::auth::Proof;
use crate::auth::oauth::{Ask, GrantKind, OAuth2, by_browser, by_device};
use crate::error::{Code, Error, Kind, Result};
use crate::job::{Account, Server};
use crate::render;

pub(super) fn run(args: &LoginArgs, options: &Options, terminal: &Terminal) -> ExitCode {
    let job = match load::job(&args.job, options, terminal) {
        Ok(job) => job,
        Err(code) => return code,
    };
    let mut code = ExitCode::Done;
    let mut any = false;
    for account in &job.accounts {
        for (server, spec) in wanted(account) {
            any = true;
            let done = sign_in(args, account, server, spec, terminal);
            code = code.worst(match done {
                Ok(()) => ExitCode::Done,
                Err(error) => {
                    terminal.fail_for(Some(&account.name), &error.at(server.endpoint.end))
                }
            });
        }
    }
    if any {
        return code;
    }
    let what = "no end of this job signs in as a person by OAuth 2.0, so there is nothing to do";
    let error = Error::new(Kind::Job, Code::Job, what);
    terminal
        .fail(&error.hint("password = { oauth2 = { provider = \"google\", client-id = \"…\" } }"))
}

/// The servers where a person has to say yes.
fn wanted(account: &Account) -> impl Iterator<Item = (&Server, &OAuth2)> {
    let sources = account.sources.iter().map(|source| &source.store);
    let stores = sources.chain(account.destinations.iter().map(|to| &to.store));
    stores.filter_map(|store| {
        let server = store.server()?;
        match &server.password {
            Proof::Token(spec) if spec.kind == GrantKind::Person => Some((server, spec.as_ref())),
            _ => None,
        }
    })
}

fn sign_in(
    args: &LoginArgs,
    account: &Account,
    server: &Server,
    spec: &OAuth2,
    terminal: &Terminal,
) -> Result<()> {
    let mailbox = server.to_string();
    let mut show = |ask: Ask<'_>| {
        if terminal.json {
            terminal.data(&render::json::sign_in(&account.name, &mailbox, &ask));
        } else {
            terminal.say(&render::accounts::ask(&mailbox, &ask, terminal.err));
            terminal.say("waiting until that is done (Ctrl-C gives up)");
        }
    };
    if args.device || spec.endpoints.authorization_url.is_none() {
        by_device(spec, &server.user, &mailbox, &mut show)?;
    } else {
        by_browser(spec, &server.user, &mailbox, args.port, &mut show)?;
    }
    if terminal.json {
        terminal.data(&render::json::signed_in(&account.name, &mailbox));
    } else if !terminal.quiet {
        terminal.say(&format!("{}: signed in", render::text(&mailbox)));
    }
    Ok(())
}
