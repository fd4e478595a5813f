package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"mulian/internal/fault"
)

// s3Scheme begins the address of an object store.
const s3Scheme = "s3://"

// Open opens the medium of a place: a folder, or an object store by its address
//
//	s3://BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION&credentials=FILE
//
// Keys never stand in it: they are in FILE, as the AWS tools keep them (readable by its owner
// alone), or in $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY. One process at a time has a
// folder, and one a prefix: folders hold that by a lock, an object store does not. Usage for
// an address that is none, Inaccessible if the store does not let us in.
func Open(ctx context.Context, place string) (Blobs, error) {
	if strings.HasPrefix(place, s3Scheme) {
		return openS3(ctx, place)
	}
	return OpenFiles(place)
}

// S3 keeps blobs as objects of a bucket of any store that speaks S3.
type S3 struct {
	client *minio.Core
	bucket string
	prefix string // ends with a slash, or is empty
}

// openS3 opens a bucket, and refuses one that keeps versions: an erased item would stay there.
func openS3(ctx context.Context, place string) (*S3, error) {
	u, err := url.Parse(place)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, fault.Newf(fault.Usage, "%s is the address of a bucket: s3://BUCKET/PREFIX?endpoint=https://HOST, without keys", s3Scheme)
	}
	q := u.Query()
	for name := range q {
		if name != "endpoint" && name != "region" && name != "credentials" {
			return nil, fault.Newf(fault.Usage, "%s%s: it has no parameter %.40q: endpoint, region, credentials", s3Scheme, u.Host, name)
		}
	}
	s := &S3{bucket: u.Host, prefix: strings.Trim(u.Path, "/")}
	if s.prefix != "" {
		if err := checkName(s.prefix); err != nil {
			return nil, fault.Wrap(fault.Usage, err, "the prefix of %s%s", s3Scheme, u.Host)
		}
		s.prefix += "/"
	}
	endpoint, secure, err := s3Endpoint(q.Get("endpoint"))
	if err != nil {
		return nil, err
	}
	keys, err := s3Keys(q.Get("credentials"))
	if err != nil {
		return nil, err
	}
	if s.client, err = minio.NewCore(endpoint, &minio.Options{Creds: keys, Secure: secure, Region: q.Get("region"), MaxRetries: 3}); err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the object store")
	}
	return s, s.ready(ctx)
}

// s3Endpoint reads where the store is: https, or http on this machine itself.
func s3Endpoint(text string) (hostPort string, secure bool, err error) {
	if text == "" {
		text = "https://s3.amazonaws.com"
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", false, fault.Newf(fault.Usage, "endpoint %.100q: https://HOST:PORT", text)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && !ip.IsLoopback() || u.Scheme != "http" && u.Scheme != "https" {
		return "", false, fault.Newf(fault.Usage, "endpoint %.100q: https, or http on this machine alone", text)
	}
	return u.Host, u.Scheme == "https", nil
}

func s3Keys(file string) (*credentials.Credentials, error) {
	if file == "" {
		return credentials.NewEnvAWS(), nil
	}
	st, err := os.Stat(file)
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "the keys of the object store")
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fault.Newf(fault.Inaccessible, "%s can be read by others: chmod 600", file)
	}
	return credentials.NewFileAWSCredentials(file, ""), nil
}

// ready writes and destroys a probe: whether the bucket is there and lets us in. Whether it
// keeps versions the store says of what it takes; that it has kept them, if it is asked and
// knows the question.
func (s *S3) ready(ctx context.Context) error {
	probe := s.prefix + ".probe" // no blob's name
	put, err := s.client.Client.PutObject(ctx, s.bucket, probe, strings.NewReader("-"), 1, minio.PutObjectOptions{DisableMultipart: true})
	if err == nil {
		err = s.client.RemoveObject(ctx, s.bucket, probe, minio.RemoveObjectOptions{VersionID: put.VersionID})
	}
	if err != nil {
		return fault.Wrap(fault.Inaccessible, err, "the bucket %s", s.bucket)
	}
	v, err := s.client.GetBucketVersioning(ctx, s.bucket)
	if put.VersionID != "" || err == nil && (v.Enabled() || v.Suspended()) {
		return fault.Newf(fault.Usage, "the bucket %s keeps, or has kept, versions: what is erased would stay in it; take a bucket that never had them", s.bucket)
	}
	return nil
}

// Put implements [Blobs].
func (s *S3) Put(ctx context.Context, name string, content []byte) error {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return err
	}
	_, err := s.client.Client.PutObject(ctx, s.bucket, s.prefix+name, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{
		ContentType: "application/octet-stream", DisableMultipart: true, // one request: the old or the new one is there
	})
	return s3Error(err)
}

// Get implements [Blobs].
func (s *S3) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return nil, err
	}
	body, _, _, err := s.client.GetObject(ctx, s.bucket, s.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, s3Error(err)
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, limit))
	return raw, s3Error(err)
}

// Size implements [Blobs].
func (s *S3) Size(ctx context.Context, name string) (int64, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return 0, err
	}
	st, err := s.client.StatObject(ctx, s.bucket, s.prefix+name, minio.StatObjectOptions{})
	return st.Size, s3Error(err)
}

// Delete implements [Blobs]: a store without versions destroys an object when it says so.
// What its own disks keep is for who runs it.
func (s *S3) Delete(ctx context.Context, name string) error {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return err
	}
	err := s3Error(s.client.RemoveObject(ctx, s.bucket, s.prefix+name, minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNone) {
		return nil
	}
	return err
}

// List implements [Blobs].
func (s *S3) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opts := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, MaxKeys: min(limit, 1000)}
	if after != "" {
		opts.StartAfter = s.prefix + after
	}
	var out []string
	for o := range s.client.Client.ListObjects(ctx, s.bucket, opts) {
		if o.Err != nil {
			return nil, s3Error(o.Err)
		}
		name := strings.TrimPrefix(o.Key, s.prefix)
		if checkName(name) != nil || name <= after {
			continue // not ours
		}
		if out = append(out, name); len(out) == limit {
			break
		}
	}
	return out, nil
}

// Close implements [Blobs].
func (s *S3) Close() error { return nil }

// s3Error gives what is not there the error that all media have.
func s3Error(err error) error {
	if err == nil {
		return nil
	}
	if r := minio.ToErrorResponse(err); r.Code == "NoSuchKey" || r.StatusCode == http.StatusNotFound && r.Code != "NoSuchBucket" {
		return ErrNone
	}
	return fmt.Errorf("object store: %w", err)
}
