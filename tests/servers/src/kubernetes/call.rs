//! A request, understood as `RequestInfo` of the API server understands it
//! (`apiserver/pkg/endpoints/request/requestinfo.go`).

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use percent_encoding::percent_decode_str;

use crate::kubernetes::identity::User;

/// One request, with its body read.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) user: User,
}

impl Call {
    /// A header, or an empty text.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The name under which changed fields are booked: the parameter, or the program's name.
    pub(super) fn field_manager(&self) -> String {
        let agent = self.header("user-agent").split('/').next().unwrap_or("");
        match (self.query.get("fieldManager"), agent) {
            (Some(manager), _) => manager.to_owned(),
            (None, "") => "unknown".to_owned(),
            (None, agent) => agent.to_owned(),
        }
    }

    pub(super) fn is_dry_run(&self) -> bool {
        self.query.get("dryRun") == Some("All")
    }
}

/// The parameters of a URL.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    sent: String,
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        let decode = |text: &str| {
            percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self { sent: query.to_owned(), pairs: pairs.collect() }
    }

    /// The text behind the question mark.
    pub(super) fn as_sent(&self) -> &str {
        &self.sent
    }

    /// The first value that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, v)| &**v)
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), Some("true" | "1"))
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

/// What a path and a method ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The verb of RBAC.
    pub(super) verb: &'static str,
    pub(super) group: String,
    pub(super) version: String,
    /// The plural; empty for a path that is no resource.
    pub(super) resource: String,
    pub(super) subresource: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// Whether the path has parts that no resource has.
    pub(super) is_too_long: bool,
}

impl Target {
    pub(super) fn of(method: &Method, path: &str, query: &Query) -> Self {
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
            _ => return Self::path(method),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..]
                if !rest.is_empty() && !matches!(rest, ["status" | "finalize"]) =>
            {
                (*namespace, rest)
            }
            rest => ("", rest),
        };
        let part = |index: usize| rest.get(index).copied().unwrap_or("").to_owned();
        let mut target = Self {
            verb: "",
            group: group.to_owned(),
            version: version.to_owned(),
            resource: part(0),
            subresource: part(2),
            namespace: namespace.to_owned(),
            name: part(1),
            is_too_long: rest.len() > 3,
        };
        target.verb = verb(method, &target.name, query);
        if target.resource == "namespaces" && target.group.is_empty() {
            target.namespace.clone_from(&target.name);
        }
        // A list of one name counts as a request for that name, so that a role may name it.
        if matches!(target.verb, "list" | "watch" | "deletecollection")
            && let Some(name) = query.get("fieldSelector").and_then(named)
        {
            target.name = name;
        }
        target
    }

    fn path(method: &Method) -> Self {
        let verb = match *method {
            Method::GET => "get",
            Method::HEAD => "head",
            Method::POST => "post",
            Method::PUT => "put",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => "",
        };
        let empty = String::new;
        Self {
            verb,
            group: empty(),
            version: empty(),
            resource: empty(),
            subresource: empty(),
            namespace: empty(),
            name: empty(),
            is_too_long: false,
        }
    }

    pub(super) fn is_resource(&self) -> bool {
        !self.resource.is_empty()
    }

    /// The resource with its subresource, as a role names it.
    pub(super) fn resource_path(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

fn verb(method: &Method, name: &str, query: &Query) -> &'static str {
    match (method, !name.is_empty()) {
        (&Method::GET | &Method::HEAD, _) if query.is_true("watch") => "watch",
        (&Method::GET | &Method::HEAD, true) => "get",
        (&Method::GET | &Method::HEAD, false) => "list",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, true) => "delete",
        (&Method::DELETE, false) => "deletecollection",
        _ => "",
    }
}

fn named(selector: &str) -> Option<String> {
    selector
        .split(',')
        .find_map(|part| part.strip_prefix("metadata.name="))
        .map(|name| name.trim_start_matches('=').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_the_api_server_reads_it() {
        let check = |method: Method, uri: &str, expected: [&str; 6]| {
            let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
            let target = Target::of(&method, path, &Query::parse(query));
            let seen = [
                target.verb,
                &target.group,
                &target.resource,
                &target.subresource,
                &target.namespace,
                &target.name,
            ];
            assert_eq!(seen, expected, "{method} {uri}");
        };
        check(Method::GET, "/api/v1/namespaces", ["list", "", "namespaces", "", "", ""]);
        check(Method::GET, "/api/v1/namespaces/a", ["get", "", "namespaces", "", "a", "a"]);
        check(Method::GET, "/api/v1/namespaces/a/pods", ["list", "", "pods", "", "a", ""]);
        check(Method::GET, "/api/v1/pods?watch=true", ["watch", "", "pods", "", "", ""]);
        let status = "/apis/apps/v1/namespaces/a/deployments/d/status";
        check(Method::PATCH, status, ["patch", "apps", "deployments", "status", "a", "d"]);
        let one = "/api/v1/pods?fieldSelector=metadata.name%3Dp";
        check(Method::GET, one, ["list", "", "pods", "", "", "p"]);
        check(Method::DELETE, "/api/v1/pods", ["deletecollection", "", "pods", "", "", ""]);
        check(Method::GET, "/version", ["get", "", "", "", "", ""]);
    }
}
