{{/*
The name of all objects. Longer names than 53 characters leave no room for what is appended.
*/}}
{{- define "cnpg-backup-verifier.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 43 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 43 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 43 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cnpg-backup-verifier.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "cnpg-backup-verifier.labels" -}}
{{ include "cnpg-backup-verifier.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/*
Those that a Prometheus Operator selects by, on top of the others.
*/}}
{{- define "cnpg-backup-verifier.monitoringLabels" -}}
{{ include "cnpg-backup-verifier.labels" . }}
{{- with .Values.monitoring.release }}
release: {{ . | quote }}
{{- end }}
{{- with .Values.monitoring.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cnpg-backup-verifier.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "cnpg-backup-verifier.fullname" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{/*
Whom a role is bound to.
*/}}
{{- define "cnpg-backup-verifier.subjects" -}}
- kind: ServiceAccount
  name: {{ include "cnpg-backup-verifier.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- define "cnpg-backup-verifier.image" -}}
{{- .Values.image.repository -}}:{{- .Values.image.tag | default .Chart.AppVersion -}}
{{- with .Values.image.digest -}}@{{- . -}}{{- end -}}
{{- end -}}

{{- define "cnpg-backup-verifier.ledgerClaim" -}}
{{- .Values.ledger.volume.existingClaim | default (printf "%s-ledger" (include "cnpg-backup-verifier.fullname" .)) -}}
{{- end -}}

{{/*
Of what runs drills, which is no part of the daemon: its policies must not select it.
*/}}
{{- define "cnpg-backup-verifier.drillLabels" -}}
app.kubernetes.io/name: {{ .Values.drills.name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "cnpg-backup-verifier.drillSources" -}}
{{- .Values.drills.sourceNamespaces | default (list .Release.Namespace) | toYaml -}}
{{- end -}}

{{/*
What a schema of single values cannot refuse.
*/}}
{{- define "cnpg-backup-verifier.checks" -}}
{{- if and .Values.ledger.volume.enabled (gt (int .Values.replicas) 1) -}}
{{- fail "replicas: at most 1 with ledger.volume.enabled: the volume is for one pod" -}}
{{- end -}}
{{- if and .Values.podDisruptionBudget.enabled (lt (int .Values.replicas) 2) -}}
{{- fail "podDisruptionBudget.enabled: needs replicas above 1" -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled .Values.ciliumNetworkPolicy.enabled -}}
{{- fail "ciliumNetworkPolicy.enabled: in place of networkPolicy.enabled, whose rules would allow more" -}}
{{- end -}}
{{- if and (eq .Values.credentials.source "objectStore") .Values.rbac.create (not .Values.credentials.objectStoreSecrets) -}}
{{- fail "credentials.objectStoreSecrets: name the Secrets that credentials.source objectStore may read" -}}
{{- end -}}
{{- if and .Values.contentJobs.enabled (ne .Values.credentials.source "secret") -}}
{{- fail "contentJobs.enabled: needs credentials.source secret, whose files the Jobs are given" -}}
{{- end -}}
{{- if and .Values.rbac.create (not .Values.rbac.clusterWide) (not .Values.config.kubernetes.namespaces) -}}
{{- fail "rbac.clusterWide: false needs config.kubernetes.namespaces, where its roles are created" -}}
{{- end -}}
{{- if .Values.drills.enabled -}}
{{- if eq .Values.drills.namespace .Release.Namespace -}}
{{- fail "drills.namespace: another one than that of the release: nothing else may be kept in it" -}}
{{- end -}}
{{- if has .Values.drills.namespace (include "cnpg-backup-verifier.drillSources" . | fromYamlArray) -}}
{{- fail "drills.sourceNamespaces: none of them is drills.namespace, in which nothing else may be kept" -}}
{{- end -}}
{{- if (.Values.config.drills | default dict).namespace -}}
{{- fail "config.drills.namespace: is drills.namespace with drills.enabled" -}}
{{- end -}}
{{- end -}}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- fail "serviceAccount.name: needed with serviceAccount.create false" -}}
{{- end -}}
{{- end -}}

{{/*
What the daemon may do where the clusters are.
*/}}
{{- define "cnpg-backup-verifier.rules" -}}
# What to watch: which clusters there are, which plugin they use and under which server name; when
# a backup is due; how the last ones ended.
- apiGroups: [postgresql.cnpg.io]
  resources: [clusters, backups, scheduledbackups]
  verbs: [list, watch]
# Where the archives are, and how long they are kept.
- apiGroups: [barmancloud.cnpg.io]
  resources: [objectstores]
  verbs: [list, watch]
# The only thing it writes: what changed, as Events on the Cluster.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{/*
What it may do there to ask the primaries for their metrics.
*/}}
{{- define "cnpg-backup-verifier.instanceMetricsRules" -}}
# Which pod is a cluster's primary, and its address. The metrics themselves are read over HTTP,
# port 9187.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- end }}
