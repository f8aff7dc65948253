"""What can go wrong with objects, beyond what any room may raise."""

from fluxbase.errors import ConflictError, FluxbaseError, InvalidRequestError, NotFoundError, PermissionDeniedError


class InvalidNameError(InvalidRequestError):
    """This is no name for a bucket or an object."""

    code = "invalid_name"


class BucketNotFoundError(NotFoundError):
    """There is no such bucket, or it is not yours to see."""

    code = "bucket_not_found"


class ObjectNotFoundError(NotFoundError):
    """There is no such object, or it is not yours to see."""

    code = "object_not_found"


class ObjectExistsError(ConflictError):
    """There is an object of this name: PUT replaces it."""

    code = "object_exists"


class BucketExistsError(ConflictError):
    """There is a bucket of this name."""

    code = "bucket_exists"


class BucketNotEmptyError(ConflictError):
    """The bucket has objects: delete them first, or send ?force=true to delete those that you may."""

    code = "bucket_not_empty"


class InvalidSignatureError(PermissionDeniedError):
    """This signed address is damaged, or is not one of this installation."""

    code = "invalid_signature"


class SignatureExpiredError(PermissionDeniedError):
    """This signed address has expired: ask for a new one."""

    code = "signature_expired"


class BlobMissingError(FluxbaseError):
    """An object's bytes are not where they were put."""

    code = "blob_missing"
