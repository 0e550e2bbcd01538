//! Kubernetes YAML as ko reads it.
