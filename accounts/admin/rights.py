"""Who of the people in the admin stands above whom. Nobody may give, or take over, rights that they do not hold."""

from django.contrib.auth.models import Permission
from django.db.models import Q
from django.http import HttpRequest

from accounts.models import User


def is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser


def is_above(user: User, request: HttpRequest) -> bool:
    """Whether `user` holds a right that whoever is signed in does not hold."""
    if is_superuser(request):
        return False
    return user.is_superuser or not _rights_of(user) <= request.user.get_all_permissions()


def _rights_of(user: User) -> set[str]:
    """Also of an inactive user, of whom Django says that they have none: they could be made active afterwards."""
    held = Permission.objects.filter(Q(user=user) | Q(group__user=user))
    return {f"{app}.{code}" for app, code in held.values_list("content_type__app_label", "codename")}
