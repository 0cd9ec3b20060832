module pluvio/e2e/cloudstack-go

go 1.26.0

require github.com/apache/cloudstack-go/v2 v2.17.1

require go.uber.org/mock v0.5.0 // indirect
