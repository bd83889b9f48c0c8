{{/*
What depends on a mount or a right of the chart. A variable wins over the file.
*/}}
{{- define "cnpg-backup-verifier.env" -}}
- name: CNPG_BACKUP_VERIFIER_CONFIG
  value: /etc/cnpg-backup-verifier/config.yaml
{{- if eq .Values.credentials.source "secret" }}
- name: CNPG_BACKUP_VERIFIER_CREDENTIALS_ACCESS_KEY_ID_FILE
  value: /run/secrets/r2/{{ .Values.credentials.accessKeyIdKey }}
- name: CNPG_BACKUP_VERIFIER_CREDENTIALS_SECRET_ACCESS_KEY_FILE
  value: /run/secrets/r2/{{ .Values.credentials.secretAccessKeyKey }}
{{- end }}
- name: CNPG_BACKUP_VERIFIER_CONTENT_LEDGER
  value: /var/lib/cnpg-backup-verifier/ledger.sqlite
{{- if eq .Values.credentials.source "objectStore" }}
- name: CNPG_BACKUP_VERIFIER_CREDENTIALS_FROM_OBJECT_STORE
  value: "true"
{{- end }}
{{- if .Values.instanceMetrics.enabled }}
- name: CNPG_BACKUP_VERIFIER_KUBERNETES_INSTANCE_METRICS
  value: "true"
{{- end }}
{{- if .Values.contentJobs.enabled }}
- name: CNPG_BACKUP_VERIFIER_CONTENT_BASE_BACKUPS_RUN_AS
  value: job
# Image, credentials and security of the Jobs' pods are those of this one.
- name: CNPG_BACKUP_VERIFIER_CONTENT_JOBS_POD
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- if .Values.drills.enabled }}
- name: CNPG_BACKUP_VERIFIER_DRILLS_NAMESPACE
  value: {{ .Values.drills.namespace }}
{{- end }}
{{- with .Values.log.level }}
- name: CNPG_BACKUP_VERIFIER_LOG_LEVEL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.log.format }}
- name: CNPG_BACKUP_VERIFIER_LOG_FORMAT
  value: {{ . | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
